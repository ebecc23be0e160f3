#include "weights/mapped_file.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "base/error.h"
#include "weights/describe.h"

#ifdef _WIN32
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <system_error>
#endif

namespace loupe {
namespace {

[[noreturn]] void fail_to_open(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::file_missing, "Cannot read " + path + ": " + reason + ".",
              "Check that the file exists and may be read, or choose another model folder.");
}

[[noreturn]] void fail_to_map(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::host_out_of_memory, "Cannot map " + path + " into memory: " + reason + ".",
              "Close other programs or lift the limit on virtual memory (ulimit -v).");
}

}  // namespace

#ifdef _WIN32

namespace {

std::string last_error() { return "Windows error " + std::to_string(GetLastError()); }

/// Closes a handle on every way out; mapped views outlive both handles.
struct Handle {
  HANDLE value;
  ~Handle() {
    if (value != nullptr && value != INVALID_HANDLE_VALUE) CloseHandle(value);
  }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path_text(path)) {
  const DWORD attributes = GetFileAttributesW(path.c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY)) fail_to_open(path_, "it is a folder");
  const Handle file{
      CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.value == INVALID_HANDLE_VALUE) fail_to_open(path_, last_error());
  LARGE_INTEGER size{};
  if (!GetFileSizeEx(file.value, &size)) fail_to_open(path_, last_error());
  if (static_cast<std::uint64_t>(size.QuadPart) > std::numeric_limits<std::size_t>::max()) fail_to_map(path_, "it is too large");
  size_ = static_cast<std::size_t>(size.QuadPart);
  if (size_ == 0) return;  // an empty file cannot be mapped
  const Handle mapping{CreateFileMappingW(file.value, nullptr, PAGE_READONLY, 0, 0, nullptr)};
  if (mapping.value == nullptr) fail_to_map(path_, last_error());
  const void* view = MapViewOfFile(mapping.value, FILE_MAP_READ, 0, 0, 0);
  if (view == nullptr) fail_to_map(path_, last_error());
  data_ = static_cast<const std::byte*>(view);
}

void MappedFile::unmap() noexcept {
  if (data_ != nullptr) UnmapViewOfFile(data_);
  data_ = nullptr;
  size_ = 0;
}

// Windows trims the working set by itself; there is no documented hint for a file view.
void MappedFile::advise_done(std::size_t, std::size_t) const {}

#else

namespace {

std::string errno_text(int code) { return std::generic_category().message(code); }

/// Closes a descriptor on every way out; the mapping outlives it.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) close(value);
  }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path_text(path)) {
  // O_NONBLOCK: a named pipe in place of the file must not hang us; regular files ignore it.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) fail_to_open(path_, errno_text(errno));
  struct stat status{};
  if (fstat(file.value, &status) != 0) fail_to_open(path_, errno_text(errno));
  if (S_ISDIR(status.st_mode)) fail_to_open(path_, "it is a folder");
  if (!S_ISREG(status.st_mode)) fail_to_open(path_, "it is not a regular file");
  if (static_cast<std::uint64_t>(status.st_size) > std::numeric_limits<std::size_t>::max()) fail_to_map(path_, "it is too large");
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // an empty file cannot be mapped
  void* view = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (view == MAP_FAILED) fail_to_map(path_, errno_text(errno));
  data_ = static_cast<const std::byte*>(view);
}

void MappedFile::unmap() noexcept {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
  data_ = nullptr;
  size_ = 0;
}

void MappedFile::advise_done(std::size_t offset, std::size_t size) const {
  if (data_ == nullptr || offset >= size_) return;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  // Outwards to whole pages: a neighbour that shares a page merely reads it again.
  const std::size_t begin = offset / page * page;
  const std::size_t end = size < size_ - offset ? offset + size : size_;
  madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

#endif

MappedFile::~MappedFile() { unmap(); }

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    path_ = std::move(other.path_);
  }
  return *this;
}

}  // namespace loupe
