#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace tickmesh::internal {

/// A URI and its fragment, without the '#'.
std::pair<std::string, std::string> SplitFragment(std::string_view uri);

/// The URI that a reference means at a base (RFC 3986, section 5.2).
std::string JoinUri(std::string_view base, std::string_view reference);

/// Whether a text is a URI reference by its characters (RFC 3986, appendix A).
bool IsUriReference(std::string_view text);

/// Undo percent-encoding; what is no encoding stays.
std::string Unquote(std::string_view text);

}  // namespace tickmesh::internal
