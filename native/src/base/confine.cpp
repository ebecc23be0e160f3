// Processes give up what they never need. Linux, on every thread there is and comes. Decoding a picture needs no file, socket or process:
// a seccomp filter refuses them. The engine's drivers open devices and libraries as they like: the filter refuses sockets, processes and
// changes to a file's owner and mode, and Landlock holds writing to the folders and devices that are named.
// What is refused fails with EACCES, so that a library that tries reports an error rather than ending the process.
//
// Source: seccomp(2), landlock(7), nptl(7); Documentation/userspace-api/seccomp_filter.rst and landlock.rst of the Linux kernel.

#include "base/confine.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#define CAN_CONFINE 1
#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <set>
#endif

namespace loupe {

#ifdef CAN_CONFINE
namespace {

#ifdef __x86_64__
constexpr __u32 architecture = AUDIT_ARCH_X86_64;
#else
constexpr __u32 architecture = AUDIT_ARCH_AARCH64;
#endif

// Numbers from 424 on are the same everywhere; older headers lack some of the newer names.
constexpr int pidfd_send_signal_number = 424, pidfd_open_number = 434, clone3_number = 435, openat2_number = 437, pidfd_getfd_number = 438,
              faccessat2_number = 439, mount_setattr_number = 442, fchmodat2_number = 452, fs_mount_first = 428, fs_mount_last = 433;
constexpr int setxattrat_number = 463, getxattrat_number = 464, listxattrat_number = 465, removexattrat_number = 466,
              file_getattr_number = 468, file_setattr_number = 469;
// <fcntl.h> and <asm/ioctls.h> name them only for some.
constexpr int f_setown_ex = 15;
constexpr unsigned long tioclinux = 0x541C;
// io_uring_enter stays: libuv has made a ring for its event loop by now, and ends the process where that fails.
constexpr int io_uring_setup_number = 425, io_uring_register_number = 427;

// Makes a socket or a process, looks into another process, sends it a signal, or reaches parts of the kernel that no process of ours needs.
constexpr int refused_to_all[] = {
#ifdef __x86_64__
    SYS_fork,
    SYS_vfork,
    SYS_uselib,
    SYS_sysfs,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
    io_uring_setup_number,
    io_uring_register_number,
    openat2_number,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
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
    pidfd_send_signal_number,
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
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_sethostname,
    SYS_setdomainname,
};

// Changes what is known of a file besides its bytes, which Landlock does not hold: private files could be opened to everybody so.
constexpr int changes_of_files[] = {
#ifdef __x86_64__
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
#endif
    SYS_fchmod,
    SYS_fchmodat,
    fchmodat2_number,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    // Landlock holds it from its third version on.
    SYS_truncate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    setxattrat_number,
    removexattrat_number,
    file_setattr_number,
};

// Names a file.
constexpr int names_of_files[] = {
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
    SYS_inotify_init,
    SYS_ustat,
#endif
    SYS_openat,
    SYS_faccessat,
    faccessat2_number,
    SYS_readlinkat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_getxattr,
    SYS_lgetxattr,
    SYS_listxattr,
    SYS_llistxattr,
    getxattrat_number,
    listxattrat_number,
    file_getattr_number,
    SYS_statfs,
    SYS_chdir,
    SYS_fchdir,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_kcmp,
#ifdef SYS_renameat
    SYS_renameat,
#endif
};

// With a signal of one's choice for whoever owns a file, any process of the same user can be ended.
constexpr int refused_orders[] = {F_SETOWN, F_SETSIG, f_setown_ex};
// Likewise by ioctl; and what types into the terminal that Loupe was started from.
constexpr unsigned long refused_requests[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI, tioclinux};

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

  // Refused where the second argument is this one.
  void refuse_second(int call, unsigned long value) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(call), 0, 4));
    load(argument_offset(1));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u32>(value), 0, 1));
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
    load(offsetof(seccomp_data, nr));
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

enum class Of { pictures, engine };

std::vector<sock_filter> filter(Of process) {
  Program program;
  for (const int call : refused_to_all) program.answer(call, refuse);
  for (const int call : changes_of_files) program.answer(call, refuse);
  for (const int order : refused_orders) program.refuse_second(SYS_fcntl, order);
  for (const unsigned long request : refused_requests) program.refuse_second(SYS_ioctl, request);
  program.refuse_from(fs_mount_first, fs_mount_last);
  if (process == Of::pictures) {
    for (const int call : names_of_files) program.answer(call, refuse);
    // Of an open file; by name they would tell which files there are.
    program.only_with_bits(SYS_newfstatat, 3, AT_EMPTY_PATH);
    program.only_with_bits(SYS_statx, 2, AT_EMPTY_PATH);
  }
  // Its flags lie in memory, where no filter looks: the C library then uses clone.
  program.answer(clone3_number, unknown_call);
  program.only_with_bits(SYS_clone, 0, CLONE_THREAD);
  const auto own = static_cast<__u32>(getpid());
  // The C library asks it for the size of a new thread's stack.
  program.only_equal(SYS_prlimit64, 0, 0, 0, own);
  // To see whether another process lives; and to end this one.
  program.only_equal(SYS_kill, 1, 0, 0, own);
  program.only_equal(SYS_tgkill, 0, own, 0, own);
  return program.finish();
}

// On every thread, and with it PR_SET_NO_NEW_PRIVS, without which neither this nor Landlock may be asked for.
Unconfined filter_calls(Of process) {
  std::vector<sock_filter> code = filter(process);
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::strerror(errno);
  const long failed = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (failed == 0) return std::nullopt;
  return failed > 0 ? "a thread has a filter of its own" : std::strerror(errno);
}

// Landlock, whose header may be older than the kernel. Bits as in <linux/landlock.h>.
constexpr long landlock_create_ruleset_number = 444, landlock_add_rule_number = 445, landlock_restrict_self_number = 446;
constexpr __u64 write_file = 1ULL << 1, remove_dir = 1ULL << 4, remove_file = 1ULL << 5, make_reg = 1ULL << 8, make_dir = 1ULL << 7,
                every_change_of_version_1 = write_file | 0x1FF0ULL, refer = 1ULL << 13, truncate_file = 1ULL << 14, ioctl_dev = 1ULL << 15;

struct PathRule {
  __u64 allowed;
  __s32 parent;
} __attribute__((packed));

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

// What is not there is passed over.
Unconfined allow_beneath(int ruleset, const std::string& path, __u64 rights) {
  const Descriptor parent(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (parent.number() < 0) return std::nullopt;
  struct stat about{};
  if (fstat(parent.number(), &about) != 0) return std::strerror(errno);
  // Rules for a file know nothing of what happens in folders.
  if (!S_ISDIR(about.st_mode)) rights &= write_file | truncate_file | ioctl_dev;
  const PathRule rule{rights, parent.number()};
  if (syscall(landlock_add_rule_number, ruleset, 1, &rule, 0) != 0) return path + ": " + std::strerror(errno);
  return std::nullopt;
}

// Landlock asks each thread for itself. Those that Node and Electron have made by now are asked as the C library asks all threads to change
// their user: by the signal that it keeps for that, because no thread blocks it. Nothing here changes users.
constexpr int every_thread_signal = 33;
constexpr std::size_t most_threads = 1024;
std::atomic<int> ruleset_of_signal{-1};
std::array<std::atomic<pid_t>, most_threads> threads_done;
std::atomic<std::size_t> threads_counted{0};
std::atomic<int> thread_error{0};

void restrict_this_thread(int) {
  const int kept = errno;
  if (syscall(landlock_restrict_self_number, ruleset_of_signal.load(), 0) != 0) thread_error = errno;
  const std::size_t at = threads_counted.fetch_add(1);
  if (at < most_threads) threads_done[at] = static_cast<pid_t>(syscall(SYS_gettid));
  errno = kept;
}

std::vector<pid_t> threads() {
  std::vector<pid_t> found;
  DIR* const folder = opendir("/proc/self/task");
  if (!folder) return found;
  while (const dirent* entry = readdir(folder))
    if (const pid_t thread = std::atoi(entry->d_name); thread > 0) found.push_back(thread);
  closedir(folder);
  return found;
}

// As the kernel keeps an action, with the way back that the C library puts into it.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
#ifdef __x86_64__
  void (*restorer)();
#endif
  unsigned long mask;
};

long kernel_action(int signal, const KernelAction* next, KernelAction* before) {
  return syscall(SYS_rt_sigaction, signal, next, before, sizeof(unsigned long));
}

Unconfined restrict_every_thread(int ruleset) {
  // The C library refuses to set this signal itself, but shows with another one how.
  struct sigaction usual{}, kept{};
  usual.sa_handler = restrict_this_thread;
  usual.sa_flags = SA_RESTART;
  sigfillset(&usual.sa_mask);
  KernelAction action{}, before{};
  if (sigaction(SIGRTMAX, &usual, &kept) != 0) return std::strerror(errno);
  const bool copied = kernel_action(SIGRTMAX, nullptr, &action) == 0;
  sigaction(SIGRTMAX, &kept, nullptr);
  if (!copied || kernel_action(every_thread_signal, &action, &before) != 0) return std::strerror(errno);

  ruleset_of_signal = ruleset;
  threads_counted = 0;
  thread_error = 0;
  restrict_this_thread(0);
  std::set<pid_t> asked{static_cast<pid_t>(syscall(SYS_gettid))};
  constexpr int most_rounds = 5000;
  int round = 0;
  for (; round < most_rounds; ++round) {
    bool all = true;
    std::set<pid_t> done;
    for (std::size_t at = 0; at < std::min(threads_counted.load(), most_threads); ++at) done.insert(threads_done[at].load());
    // One that a thread without rules has made meanwhile is asked in the next round.
    for (const pid_t thread : threads()) {
      if (done.contains(thread)) continue;
      all = false;
      if (asked.insert(thread).second) syscall(SYS_tgkill, getpid(), thread, every_thread_signal);
    }
    if (all) break;
    const timespec millisecond{0, 1'000'000};
    nanosleep(&millisecond, nullptr);
  }
  kernel_action(every_thread_signal, &before, nullptr);
  if (thread_error != 0) return std::strerror(thread_error);
  return round == most_rounds ? Unconfined("a thread does not answer") : std::nullopt;
}

Unconfined hold_writing(const std::vector<std::string>& folders, const std::vector<std::string>& devices) {
  const long version = syscall(landlock_create_ruleset_number, nullptr, 0, 1);
  if (version < 1) return "this kernel has no Landlock";
  __u64 handled = every_change_of_version_1;
  if (version >= 2) handled |= refer;
  if (version >= 3) handled |= truncate_file;
  if (version >= 5) handled |= ioctl_dev;
  const Descriptor ruleset(static_cast<int>(syscall(landlock_create_ruleset_number, &handled, sizeof handled, 0)));
  if (ruleset.number() < 0) return std::strerror(errno);
  const __u64 in_folders = write_file | truncate_file | make_reg | make_dir | remove_file | remove_dir | refer;
  const __u64 on_devices = write_file | truncate_file | ioctl_dev;
  for (const std::string& path : folders)
    if (Unconfined reason = allow_beneath(ruleset.number(), path, in_folders & handled)) return reason;
  for (const std::string& path : devices)
    if (Unconfined reason = allow_beneath(ruleset.number(), path, on_devices & handled)) return reason;
  return restrict_every_thread(ruleset.number());
}

}  // namespace

Unconfined confine_to_memory() { return filter_calls(Of::pictures); }

Unconfined confine_to_places(const std::vector<std::string>& folders, const std::vector<std::string>& devices) {
  // Older kernels have a filter and no Landlock.
  if (Unconfined reason = filter_calls(Of::engine)) return reason;
  if (const Unconfined reason = hold_writing(folders, devices)) return "it can write files: " + *reason;
  return std::nullopt;
}

#else

Unconfined confine_to_memory() { return "not made for this system"; }

Unconfined confine_to_places(const std::vector<std::string>&, const std::vector<std::string>&) { return confine_to_memory(); }

#endif

}  // namespace loupe
