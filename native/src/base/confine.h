#pragma once
// What a process gives up before it reads hostile files: docs/decisions/0028-decoding-without-rights.md, 0052.

#include <optional>
#include <string>
#include <vector>

namespace loupe {

/// Nothing where it holds from now on, for every thread there is and comes, and cannot be taken back; otherwise why it does not.
using Unconfined = std::optional<std::string>;

/// No file, socket or process can be opened, and no other process touched. What tries gets EACCES.
Unconfined confine_to_memory();

/// No socket or process can be opened, no other process touched, and nothing written but below `folders` and to `devices`, of which those
/// that are not there are passed over. What can be held is held also where the rest is not to be had.
Unconfined confine_to_places(const std::vector<std::string>& folders, const std::vector<std::string>& devices);

}  // namespace loupe
