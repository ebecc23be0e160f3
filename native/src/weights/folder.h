#pragma once
// Which files of a folder are a model's weights, by their names alone.
//
//   model.safetensors                  wins over an index that was left beside it
//   NAME-00001-of-00003.safetensors    all parts of one name, where no index says so
//   NAME.safetensors                   where it is the only one
//
// Such folders also hold adapters, optimizer states and the like, which are not the model's weights.

#include <string>
#include <vector>

namespace loupe {

/// @param folder for messages.
/// @throws Error file_missing: no weights, a part is missing (named), or several files of which none is the model's by its name;
///         checkpoint_unsupported: an adapter, or a layout that this engine does not read, by its name.
std::vector<std::string> weight_files(const std::vector<std::string>& names, const std::string& folder);

/// Whether all parts of one name are here.
bool has_whole_parts(const std::vector<std::string>& names);

/// For a folder without config.json, or without weights.
/// @throws Error checkpoint_unsupported: it holds an adapter, Meta's original files or PyTorch's, and what to do. Returns for any other.
void refuse_other_layouts(const std::vector<std::string>& names, const std::string& folder);

/// Missing files that are named; counts come from hostile names.
inline constexpr std::size_t most_named = 3;
/// "1 of 3 parts is here; B and C are missing". `missing` names the first of them, at least one.
std::string missing_words(std::size_t here, std::size_t all, const char* noun, const std::vector<std::string>& missing);

}  // namespace loupe
