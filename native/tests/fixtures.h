#pragma once
// Where the files that tests compare with lie: LOUPE_FIXTURES, else where the build found them.

#include <cstdlib>
#include <filesystem>

namespace loupe::test {

inline std::filesystem::path fixtures() {
  const char* folder = std::getenv("LOUPE_FIXTURES");
  return folder ? folder : LOUPE_FIXTURES_DIR;
}

inline std::filesystem::path reference() { return fixtures() / "reference"; }

}  // namespace loupe::test
