// Gives up what decoding a picture never needs: opening files, sockets, processes. Linux, by a seccomp filter on every thread.
// What is refused fails with EACCES, so that a library that tries reports an error rather than ending the process.
//
// Source: seccomp(2); Documentation/userspace-api/seccomp_filter.rst of the Linux kernel.

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#define CAN_CONFINE 1
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>
#endif

#include "addon/functions.h"

namespace loupe::addon {

#ifdef CAN_CONFINE
namespace {

#ifdef __x86_64__
constexpr __u32 architecture = AUDIT_ARCH_X86_64;
#else
constexpr __u32 architecture = AUDIT_ARCH_AARCH64;
#endif

// Numbers from 424 on are the same everywhere; older headers lack some of the newer names.
constexpr int pidfd_open_number = 434, clone3_number = 435, openat2_number = 437, pidfd_getfd_number = 438, faccessat2_number = 439,
              mount_setattr_number = 442, fchmodat2_number = 452, fs_mount_first = 428, fs_mount_last = 433;
// io_uring_enter stays: libuv has made a ring for its event loop by now, and ends the process where that fails.
constexpr int io_uring_setup_number = 425, io_uring_register_number = 427;

// Whatever names a file, makes a socket or a process, looks into another process, or reaches parts of the kernel that no decoder needs.
constexpr int refused[] = {
#ifdef __x86_64__
    SYS_open,
    SYS_creat,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_unlink,
    SYS_rmdir,
    SYS_mkdir,
    SYS_mknod,
    SYS_rename,
    SYS_link,
    SYS_symlink,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_fork,
    SYS_vfork,
    SYS_inotify_init,
    SYS_uselib,
    SYS_ustat,
    SYS_sysfs,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
    SYS_openat,
    openat2_number,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_faccessat,
    faccessat2_number,
    SYS_readlinkat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmodat,
    fchmodat2_number,
    SYS_fchownat,
    SYS_utimensat,
    SYS_truncate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_getxattr,
    SYS_lgetxattr,
    SYS_listxattr,
    SYS_llistxattr,
    SYS_statfs,
    SYS_chdir,
    SYS_fchdir,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    mount_setattr_number,
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_execve,
    SYS_execveat,
    SYS_unshare,
    SYS_setns,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    pidfd_open_number,
    pidfd_getfd_number,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_mq_open,
    SYS_mq_unlink,
    SYS_msgget,
    SYS_semget,
    SYS_shmget,
    SYS_shmat,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_sethostname,
    SYS_setdomainname,
#ifdef SYS_renameat
    SYS_renameat,
#endif
};

constexpr __u32 allow = SECCOMP_RET_ALLOW;
constexpr __u32 refuse = SECCOMP_RET_ERRNO | EACCES;
constexpr __u32 unknown_call = SECCOMP_RET_ERRNO | ENOSYS;

class Program {
 public:
  Program() {
    load(offsetof(seccomp_data, arch));
    unless_equal(architecture, refuse);
    load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
    // The x32 interface has the same calls under other numbers.
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
#endif
  }

  void answer(int call, __u32 with) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(call), 0, 1));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, with));
  }

  void refuse_from(int first, int last) {
    for (int call = first; call <= last; ++call) answer(call, refuse);
  }

  // Allowed where the argument has one of these bits.
  void only_with_bits(int call, unsigned argument, __u32 bits) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(call), 0, 4));
    load(argument_offset(argument));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, allow));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
  }

  // Allowed where the argument is one of two values.
  void only_equal(int call, unsigned argument, __u32 value, unsigned other_argument, __u32 other_value) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(call), 0, 6));
    load(argument_offset(argument));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 2, 0));
    load(argument_offset(other_argument));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other_value, 0, 1));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, allow));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
  }

  std::vector<sock_filter>& finish() {
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, allow));
    return code_;
  }

 private:
  // The low half: both architectures are little-endian.
  static std::size_t argument_offset(unsigned index) { return offsetof(seccomp_data, args) + index * sizeof(__u64); }
  void load(std::size_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<__u32>(offset))); }
  void unless_equal(__u32 value, __u32 answer) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  }

  std::vector<sock_filter> code_;
};

std::vector<sock_filter> filter() {
  Program program;
  for (const int call : refused) program.answer(call, refuse);
  program.answer(io_uring_setup_number, refuse);
  program.answer(io_uring_register_number, refuse);
  program.refuse_from(fs_mount_first, fs_mount_last);
  // Its flags lie in memory, where no filter looks: the C library then uses clone.
  program.answer(clone3_number, unknown_call);
  program.only_with_bits(SYS_clone, 0, CLONE_THREAD);
  // Of an open file; by name they would tell which files there are.
  program.only_with_bits(SYS_newfstatat, 3, AT_EMPTY_PATH);
  program.only_with_bits(SYS_statx, 2, AT_EMPTY_PATH);
  const auto own = static_cast<__u32>(getpid());
  // The C library asks it for the size of a new thread's stack.
  program.only_equal(SYS_prlimit64, 0, 0, 0, own);
  // To see whether another process lives; and to end this one.
  program.only_equal(SYS_kill, 1, 0, 0, own);
  program.only_equal(SYS_tgkill, 0, own, 0, own);
  return program.finish();
}

}  // namespace
#endif

// Null where it holds from now on, for every thread there is and comes; otherwise why it does not.
Napi::Value confine(const Napi::CallbackInfo& info) {
#ifdef CAN_CONFINE
  std::vector<sock_filter> code = filter();
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Napi::String::New(info.Env(), std::strerror(errno));
  const long failed = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (failed == 0) return info.Env().Null();
  return Napi::String::New(info.Env(), failed > 0 ? "a thread has a filter of its own" : std::strerror(errno));
#else
  return Napi::String::New(info.Env(), "not made for this system");
#endif
}

}  // namespace loupe::addon
