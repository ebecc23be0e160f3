#pragma once
// A whole file as read-only memory.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace loupe {

/// Maps a regular file for reading. The size is taken once, at opening: if another process
/// shortens the file while it is mapped, reading past its new end is a bus error (POSIX), so a
/// checkpoint must not be overwritten in place while it is loaded. Replacing it by renaming a
/// new file over it is safe: the mapping keeps the old one.
class MappedFile {
 public:
  /// @throws Error file_missing: absent, unreadable, or not a regular file (with the reason);
  ///         host_out_of_memory: it does not fit the address space.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::size_t size() const { return size_; }
  /// Empty for an empty file. Valid as long as this object, also after it has been moved.
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// For messages, UTF-8.
  const std::string& path() const { return path_; }

  /// The caller has read [offset, offset + size) and is unlikely to read it again: its pages
  /// may leave this process. A hint: the bytes stay valid and are read from disk again on demand.
  void advise_done(std::size_t offset, std::size_t size) const;

 private:
  void unmap() noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::string path_;
};

}  // namespace loupe
