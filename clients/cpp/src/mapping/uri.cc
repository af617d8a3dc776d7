#include "mapping/uri.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace tickmesh::internal {

namespace {

struct Uri {
  std::string scheme;
  std::optional<std::string> authority;
  std::string path;
  std::optional<std::string> query;
  std::optional<std::string> fragment;
};

bool IsAlpha(char sign) { return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z'); }
bool IsDigit(char sign) { return sign >= '0' && sign <= '9'; }

/// The value of a hexadecimal digit, -1 for what is none.
int HexValue(char sign) {
  if (IsDigit(sign)) return sign - '0';
  const char lower = static_cast<char>(sign | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::size_t SchemeLength(std::string_view text) {
  if (text.empty() || !IsAlpha(text[0])) return 0;
  for (std::size_t place = 1; place < text.size(); ++place) {
    const char sign = text[place];
    if (sign == ':') return place;
    if (!IsAlpha(sign) && !IsDigit(sign) && sign != '+' && sign != '-' && sign != '.') return 0;
  }
  return 0;
}

Uri Parse(std::string_view text) {
  Uri uri;
  if (const std::size_t length = SchemeLength(text); length > 0) {
    uri.scheme = text.substr(0, length);
    std::transform(uri.scheme.begin(), uri.scheme.end(), uri.scheme.begin(),
                   [](char sign) { return IsAlpha(sign) ? static_cast<char>(sign | 0x20) : sign; });
    text.remove_prefix(length + 1);
  }
  if (const auto place = text.find('#'); place != std::string_view::npos) {
    uri.fragment = text.substr(place + 1);
    text = text.substr(0, place);
  }
  if (const auto place = text.find('?'); place != std::string_view::npos) {
    uri.query = text.substr(place + 1);
    text = text.substr(0, place);
  }
  if (text.starts_with("//")) {
    const auto end = text.find('/', 2);
    uri.authority = text.substr(2, end == std::string_view::npos ? end : end - 2);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end);
  }
  uri.path = text;
  return uri;
}

std::string Text(const Uri& uri) {
  std::string text;
  if (!uri.scheme.empty()) text.append(uri.scheme).append(":");
  if (uri.authority.has_value()) text.append("//").append(*uri.authority);
  text += uri.path;
  if (uri.query.has_value() && !uri.query->empty()) text.append("?").append(*uri.query);
  if (uri.fragment.has_value() && !uri.fragment->empty()) text.append("#").append(*uri.fragment);
  return text;
}

std::string WithoutDots(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool is_absolute = path.starts_with('/');
  bool ends_open = false;
  while (!path.empty()) {
    if (path.starts_with('/')) path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    ends_open = segment == "." || segment == "..";
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string clean(is_absolute ? 1 : 0, '/');
  for (std::size_t place = 0; place < kept.size(); ++place) {
    if (place > 0) clean += '/';
    clean += kept[place];
  }
  if (ends_open && !clean.ends_with('/')) clean += '/';
  return clean;
}

/// Whether the brackets of a URI stand around an address: `//user@[::1]:80/…`.
bool HasAddressInBrackets(const Uri& uri) {
  if (!uri.authority.has_value()) return false;
  const std::string_view authority = *uri.authority;
  const auto open = authority.find('[');
  const auto close = authority.find(']');
  const auto in_brackets = [](std::string_view text) {
    return text.find_first_of("[]") != std::string_view::npos;
  };
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return false;
  if (open > 0 && authority[open - 1] != '@') return false;
  const std::string_view behind = authority.substr(close + 1);
  return (behind.empty() || behind.starts_with(':')) && !in_brackets(behind) &&
         !in_brackets(uri.path) && !in_brackets(uri.query.value_or("")) &&
         !in_brackets(uri.fragment.value_or(""));
}

}  // namespace

std::pair<std::string, std::string> SplitFragment(std::string_view text) {
  if (text.find('#') == std::string_view::npos) return {std::string(text), {}};
  Uri uri = Parse(text);
  std::string fragment = uri.fragment.value_or("");
  uri.fragment.reset();
  return {Text(uri), std::move(fragment)};
}

std::string JoinUri(std::string_view base_text, std::string_view reference) {
  if (base_text.empty()) return std::string(reference);
  if (reference.empty()) return std::string(base_text);
  const Uri base = Parse(base_text);
  Uri uri = Parse(reference);
  if (!uri.scheme.empty() && uri.scheme != base.scheme) return std::string(reference);
  // Names such as urn:… have no hierarchy that a reference could go through.
  if (base.scheme != "" && base.scheme != "http" && base.scheme != "https" &&
      base.scheme != "file" && base.scheme != "ftp") {
    return std::string(reference);
  }
  uri.scheme = base.scheme;
  if (uri.authority.has_value() && !uri.authority->empty()) {
    return Text(uri);
  }
  uri.authority = base.authority;
  if (uri.path.empty()) {
    uri.path = base.path;
    if (!uri.query.has_value() || uri.query->empty()) uri.query = base.query;
    return Text(uri);
  }
  if (!uri.path.starts_with('/')) {
    const auto end = base.path.rfind('/');
    std::string folder = base.path.substr(0, end == std::string::npos ? 0 : end + 1);
    if (folder.empty() && base.authority.has_value()) folder.push_back('/');
    uri.path.insert(0, folder);
  }
  uri.path = WithoutDots(uri.path);
  return Text(uri);
}

bool IsUriReference(std::string_view text) {
  constexpr std::string_view kSigns = "-._~:/?#@!$&'()*+,;=";
  const Uri uri = Parse(text);
  bool in_fragment = false;
  for (std::size_t place = 0; place < text.size(); ++place) {
    const char sign = text[place];
    if (sign == '%') {
      if (place + 2 >= text.size() || HexValue(text[place + 1]) < 0 ||
          HexValue(text[place + 2]) < 0) {
        return false;
      }
      place += 2;
    } else if (sign == '[' || sign == ']') {
      if (!HasAddressInBrackets(uri)) return false;
    } else if (sign == '#' && in_fragment) {
      return false;
    } else if (!IsAlpha(sign) && !IsDigit(sign) && kSigns.find(sign) == std::string_view::npos) {
      return false;
    }
    in_fragment = in_fragment || sign == '#';
  }
  if (!uri.scheme.empty() || uri.authority.has_value()) return true;
  // A first segment with a colon would be a scheme, and this one is none.
  return uri.path.substr(0, uri.path.find('/')).find(':') == std::string::npos;
}

std::string Unquote(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t place = 0; place < text.size(); ++place) {
    if (text[place] == '%' && place + 2 < text.size() && HexValue(text[place + 1]) >= 0 &&
        HexValue(text[place + 2]) >= 0) {
      plain.push_back(
          static_cast<char>(HexValue(text[place + 1]) * 16 + HexValue(text[place + 2])));
      place += 2;
    } else {
      plain.push_back(text[place]);
    }
  }
  return plain;
}

}  // namespace tickmesh::internal
