// What a confined process can still do, by system call. Each case runs in a child of its own, whose exit code says what was not refused.
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "base/confine.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

/// Names of what was not refused, as the child that runs `attempts` prints them.
std::string in_child(const std::function<void(const std::function<void(const char*, long)>&)>& attempts) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    attempts([&](const char* name, long result) {
      if (result >= 0 || errno != EACCES) dprintf(ends[1], "%s (%s) ", name, result >= 0 ? "done" : std::strerror(errno));
    });
    _exit(0);
  }
  close(ends[1]);
  std::string said;
  std::array<char, 256> part{};
  for (ssize_t read_now; (read_now = read(ends[0], part.data(), part.size())) > 0;)
    said.append(part.data(), static_cast<std::size_t>(read_now));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? said : said + "ended by a signal";
}

/// Neither kind of process has any use for these.
void try_what_nobody_needs(const std::function<void(const char*, long)>& refused) {
  std::array<char, 256> ring{};
  refused("io_uring_setup", syscall(425, 4, ring.data()));
  refused("socket inet", socket(AF_INET, SOCK_STREAM, 0));
  refused("socket unix", socket(AF_UNIX, SOCK_DGRAM, 0));
  int pair[2];
  refused("socketpair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  refused("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  char* const nothing[] = {nullptr};
  refused("execve", execve("/bin/true", nothing, nothing));
  refused("ptrace", ptrace(PTRACE_ATTACH, getppid(), 0, 0));
  refused("kill", kill(getppid(), SIGCONT));
  refused("pidfd_send_signal", syscall(424, 0, SIGCONT, 0, 0));
  refused("bpf", syscall(SYS_bpf, 0, 0, 0));
  refused("perf_event_open", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
  // A pipe that becomes readable would then end the parent.
  int ends[2];
  if (pipe(ends) != 0) return refused("pipe", 0);
  refused("F_SETOWN", fcntl(ends[0], F_SETOWN, getppid()));
  refused("F_SETSIG", fcntl(ends[0], F_SETSIG, SIGKILL));
  int parent = getppid();
  refused("FIOSETOWN", ioctl(ends[0], FIOSETOWN, &parent));
  // Types into the terminal that the process was started from.
  refused("TIOCSTI", ioctl(ends[0], TIOCSTI, "x"));
  refused("fchmod", fchmod(ends[0], 0777));
}

class Confine : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "loupe-confine-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    fs::create_directory(folder / "cache");
    std::fclose(std::fopen((folder / "secret").c_str(), "w"));
  }
  void TearDown() override { fs::remove_all(folder); }
  fs::path folder;
};

TEST_F(Confine, ToMemory) {
  EXPECT_EQ(in_child([&](const auto& refused) {
              refused("open", confine_to_memory() ? 0 : open((folder / "secret").c_str(), O_RDONLY));
              try_what_nobody_needs(refused);
            }),
            "");
}

void try_to_write(const fs::path& folder, const std::function<void(const char*, long)>& refused) {
  const fs::path secret = folder / "secret";
  refused("open to write", open(secret.c_str(), O_WRONLY));
  refused("open to read and write", open(secret.c_str(), O_RDWR));
  refused("open to append", open(secret.c_str(), O_WRONLY | O_APPEND));
  refused("create", open((folder / "new").c_str(), O_WRONLY | O_CREAT, 0600));
  refused("temporary", open(folder.c_str(), O_TMPFILE | O_RDWR, 0600));
  refused("truncate", truncate(secret.c_str(), 0));
  refused("truncate by open", open(secret.c_str(), O_RDONLY | O_TRUNC));
  refused("chmod", chmod(secret.c_str(), 0777));
  refused("fchmodat", fchmodat(AT_FDCWD, secret.c_str(), 0777, 0));
  refused("unlink", unlink(secret.c_str()));
  refused("rename", rename(secret.c_str(), (folder / "other").c_str()));
  refused("into the cache", rename(secret.c_str(), (folder / "cache" / "other").c_str()));
  refused("link", link(secret.c_str(), (folder / "link").c_str()));
  refused("symlink", symlink("/", (folder / "link").c_str()));
  refused("mkdir", mkdir((folder / "new").c_str(), 0700));
  refused("rmdir", rmdir((folder / "cache").c_str()));
  refused("fifo", mkfifo((folder / "new").c_str(), 0600));
  refused("utimes", utimensat(AT_FDCWD, secret.c_str(), nullptr, 0));
}

/// Writing is not held there, and it is said.
bool has_landlock() { return syscall(444, nullptr, 0, 1) >= 1; }

TEST_F(Confine, ToPlaces) {
  const std::string said = in_child([&](const auto& refused) {
    if (const Unconfined reason = confine_to_places({(folder / "cache").string(), "/not/there"}, {"/dev/null"})) {
      refused(reason->c_str(), 0);
    } else {
      try_to_write(folder, refused);
    }
    try_what_nobody_needs(refused);
  });
  EXPECT_EQ(said, has_landlock() ? "" : "it can write files: this kernel has no Landlock (done) ");
  EXPECT_TRUE(fs::exists(folder / "secret"));
}

TEST_F(Confine, ToPlacesInThreadsThatWereThereAndThatCome) {
  if (!has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(in_child([&](const auto& refused) {
              std::atomic<bool> confined{false};
              // One that blocks every signal that can be blocked, as Node's and Chromium's do.
              std::thread before([&] {
                sigset_t all;
                sigfillset(&all);
                pthread_sigmask(SIG_BLOCK, &all, nullptr);
                while (!confined) usleep(1000);
                try_to_write(folder, refused);
                try_what_nobody_needs(refused);
              });
              if (confine_to_places({}, {})) refused("confine", 0);
              confined = true;
              before.join();
              std::thread([&] { try_to_write(folder, refused); }).join();
            }),
            "");
}

TEST_F(Confine, ToPlacesLeavesWhatDriversNeed) {
  const std::string cache = (folder / "cache").string();
  EXPECT_EQ(in_child([&](const auto& refused) {
              confine_to_places({cache}, {"/dev/null"});
              const auto done = [&](const char* name, bool is_done) {
                if (!is_done) refused(name, 0);
              };
              done("read", open((folder / "secret").c_str(), O_RDONLY) >= 0);
              const std::string part = cache + "/part", whole = cache + "/whole";
              const int file = open(part.c_str(), O_RDWR | O_CREAT, 0600);
              done("write into the cache", file >= 0 && write(file, "x", 1) == 1 && ftruncate(file, 0) == 0);
              done("rename in the cache", rename(part.c_str(), whole.c_str()) == 0 && unlink(whole.c_str()) == 0);
              done("folder in the cache", mkdir(part.c_str(), 0700) == 0 && rmdir(part.c_str()) == 0);
              done("device", open("/dev/null", O_RDWR) >= 0);
              done("memory file", memfd_create("x", 0) >= 0);
              done("thread", [] {
                std::thread([] {}).join();
                return true;
              }());
              done("whether the parent lives", kill(getppid(), 0) == 0);
            }),
            "");
}

}  // namespace
}  // namespace loupe
#endif
