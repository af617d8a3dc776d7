#include "mapping/json_reader.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "arrow/util/utf8.h"
#include "mapping/json_number.h"
#include "mapping/schema_error.h"

namespace tickmesh::internal {

namespace {

bool IsSpace(char sign) { return sign == ' ' || sign == '\t' || sign == '\n' || sign == '\r'; }

bool IsHighSurrogate(std::uint32_t code) { return code >= 0xD800 && code <= 0xDBFF; }
bool IsLowSurrogate(std::uint32_t code) { return code >= 0xDC00 && code <= 0xDFFF; }

/// Append a code point; a lone surrogate in the three bytes it would have, which no valid text
/// holds.
void AppendUtf8(std::uint32_t code, std::string* out) {
  const auto add = [out](std::uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | (code >> 6));
    add(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    add(0xE0 | (code >> 12));
    add(0x80 | ((code >> 6) & 0x3F));
    add(0x80 | (code & 0x3F));
  } else {
    add(0xF0 | (code >> 18));
    add(0x80 | ((code >> 12) & 0x3F));
    add(0x80 | ((code >> 6) & 0x3F));
    add(0x80 | (code & 0x3F));
  }
}

bool HoldsLoneSurrogate(std::string_view text) {
  for (std::size_t place = 0; place + 1 < text.size(); ++place) {
    if (text[place] == '\xED' && (static_cast<unsigned char>(text[place + 1]) & 0xE0U) == 0xA0U) {
      return true;
    }
  }
  return false;
}

/// A pointer that can be shown: lone surrogates become U+FFFD.
std::string ShownPointer(const JsonPath& path) {
  std::string pointer = PointerOf(path);
  std::size_t place = 0;
  while ((place = pointer.find('\xED', place)) != std::string::npos) {
    if (HoldsLoneSurrogate(std::string_view(pointer).substr(place, 3))) {
      pointer.replace(place, 3, "\xEF\xBF\xBD");
    }
    place += 3;
  }
  return pointer;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  arrow::Result<JsonValue> Read() {
    JsonValue value;
    ARROW_RETURN_NOT_OK(Value(&value));
    SkipSpace();
    if (place_ < text_.size()) return Syntax("the end of the text");
    if (suspicious_) {
      JsonPath path;
      ARROW_RETURN_NOT_OK(CheckStrings(value, &path));
    }
    return value;
  }

 private:
  arrow::Status Syntax(std::string_view expected) const {
    const auto before = text_.substr(0, std::min(place_, text_.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    return SchemaError("INVALID_JSON", "the text is not JSON: expected " + std::string(expected) +
                                           " at line " + std::to_string(line) + ", byte " +
                                           std::to_string(column));
  }

  void SkipSpace() {
    while (place_ < text_.size() && IsSpace(text_[place_])) ++place_;
  }

  bool Take(char sign) {
    if (place_ >= text_.size() || text_[place_] != sign) return false;
    ++place_;
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (!text_.substr(place_).starts_with(word)) return false;
    place_ += word.size();
    return true;
  }

  arrow::Status Value(JsonValue* out) {
    SkipSpace();
    if (place_ >= text_.size()) return Syntax("a value");
    const char sign = text_[place_];
    if (sign == '{') return Object(out);
    if (sign == '[') return Array(out);
    if (sign == '"') {
      std::string text;
      ARROW_RETURN_NOT_OK(String(&text));
      *out = JsonValue::String(std::move(text));
      return arrow::Status::OK();
    }
    if (TakeWord("true")) {
      *out = JsonValue::Boolean(true);
    } else if (TakeWord("false")) {
      *out = JsonValue::Boolean(false);
    } else if (TakeWord("null")) {
      *out = JsonValue();
    } else {
      return Number(out);
    }
    return arrow::Status::OK();
  }

  arrow::Status Number(JsonValue* out) {
    const NumberText number = NumberText::At(text_.substr(place_));
    if (number.length == 0) return Syntax("a value");
    ARROW_ASSIGN_OR_RAISE(*out, number.Exact(text_.substr(place_, number.length)));
    place_ += number.length;
    return arrow::Status::OK();
  }

  arrow::Status Array(JsonValue* out) {
    ++place_;
    std::vector<JsonValue> items;
    SkipSpace();
    if (!Take(']')) {
      while (true) {
        items.emplace_back();
        ARROW_RETURN_NOT_OK(Value(&items.back()));
        SkipSpace();
        if (Take(']')) break;
        if (!Take(',')) return Syntax("',' or ']'");
      }
    }
    *out = JsonValue::Array(std::move(items));
    return arrow::Status::OK();
  }

  arrow::Status Object(JsonValue* out) {
    ++place_;
    std::vector<std::pair<std::string, JsonValue>> members;
    SkipSpace();
    if (!Take('}')) {
      while (true) {
        SkipSpace();
        if (place_ >= text_.size() || text_[place_] != '"') return Syntax("a key in quotes");
        members.emplace_back();
        ARROW_RETURN_NOT_OK(String(&members.back().first));
        SkipSpace();
        if (!Take(':')) return Syntax("':'");
        ARROW_RETURN_NOT_OK(Value(&members.back().second));
        SkipSpace();
        if (Take('}')) break;
        if (!Take(',')) return Syntax("',' or '}'");
      }
    }
    suspicious_ = suspicious_ || RepeatedKey(members).has_value();
    *out = JsonValue::Object(std::move(members));
    return arrow::Status::OK();
  }

  arrow::Status String(std::string* out) {
    ++place_;
    while (true) {
      const std::size_t start = place_;
      while (place_ < text_.size() && text_[place_] != '"' && text_[place_] != '\\' &&
             static_cast<unsigned char>(text_[place_]) >= 0x20) {
        ++place_;
      }
      out->append(text_.substr(start, place_ - start));
      if (place_ >= text_.size()) return Syntax("the end of a string");
      if (Take('"')) return arrow::Status::OK();
      if (!Take('\\')) return Syntax("no control character in a string");
      ARROW_RETURN_NOT_OK(Escape(out));
    }
  }

  arrow::Status Escape(std::string* out) {
    if (place_ >= text_.size()) return Syntax("an escape");
    const char sign = text_[place_++];
    constexpr std::string_view kNamed = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (const auto named = kNamed.find(sign); named != std::string_view::npos) {
      out->push_back(kMeant[named]);
      return arrow::Status::OK();
    }
    if (sign != 'u') return Syntax("an escape that JSON knows");
    auto code = CodeUnit();
    if (!code.has_value()) return Syntax("four hexadecimal digits");
    if (IsHighSurrogate(*code) && text_.substr(place_).starts_with("\\u")) {
      const std::size_t before = place_;
      place_ += 2;
      const auto low = CodeUnit();
      if (!low.has_value()) return Syntax("four hexadecimal digits");
      if (IsLowSurrogate(*low)) {
        code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
      } else {
        place_ = before;
      }
    }
    suspicious_ = suspicious_ || IsHighSurrogate(*code) || IsLowSurrogate(*code);
    AppendUtf8(*code, out);
    return arrow::Status::OK();
  }

  std::optional<std::uint32_t> CodeUnit() {
    if (text_.size() - place_ < 4) return std::nullopt;
    std::uint32_t code = 0;
    for (int digit = 0; digit < 4; ++digit) {
      const char sign = text_[place_++];
      code <<= 4;
      if (sign >= '0' && sign <= '9') {
        code += static_cast<std::uint32_t>(sign - '0');
      } else if ((sign | 0x20) >= 'a' && (sign | 0x20) <= 'f') {
        code += static_cast<std::uint32_t>((sign | 0x20) - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    return code;
  }

  /// The first key that occurred before.
  static std::optional<std::string> RepeatedKey(
      const std::vector<std::pair<std::string, JsonValue>>& members) {
    if (members.size() < 2) return std::nullopt;
    std::unordered_set<std::string_view> seen;
    for (const auto& [key, value] : members) {
      if (!seen.insert(key).second) return key;
    }
    return std::nullopt;
  }

  /// Refuse the first repeated key or lone surrogate, outer ones first.
  arrow::Status CheckStrings(const JsonValue& value, JsonPath* path) const {
    const auto check = [path](const std::string& text) {
      if (!HoldsLoneSurrogate(text)) return arrow::Status::OK();
      return SchemaError("INVALID_JSON", "a string holds a lone surrogate", ShownPointer(*path));
    };
    if (value.is_string()) return check(value.text());
    if (value.is_object()) {
      if (const auto key = RepeatedKey(value.members()); key.has_value()) {
        path->push_back(*key);
        const std::string pointer = ShownPointer(*path);
        return SchemaError(
            "DUPLICATE_KEY",
            "the key at " + Quoted(pointer) + " occurs twice in one object; keep one of them",
            pointer);
      }
      for (const auto& [key, member] : value.members()) {
        ARROW_RETURN_NOT_OK(check(key));
        path->push_back(key);
        ARROW_RETURN_NOT_OK(CheckStrings(member, path));
        path->pop_back();
      }
    }
    for (std::size_t index = 0; index < value.items().size(); ++index) {
      path->push_back(std::to_string(index));
      ARROW_RETURN_NOT_OK(CheckStrings(value.items()[index], path));
      path->pop_back();
    }
    return arrow::Status::OK();
  }

  std::string_view text_;
  std::size_t place_ = 0;
  /// Whether some key occurs twice or some surrogate stands alone.
  bool suspicious_ = false;
};

arrow::Status CheckDepth(std::string_view text, int max_depth) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t place = 0; place < text.size(); ++place) {
    const char sign = text[place];
    if (in_string) {
      if (sign == '\\') {
        ++place;
      } else if (sign == '"') {
        in_string = false;
      }
    } else if (sign == '"') {
      in_string = true;
    } else if (sign == '[' || sign == '{') {
      if (++depth > max_depth) {
        return SchemaError("TOO_DEEP", "the schema nests deeper than " + std::to_string(max_depth) +
                                           " levels; flatten it");
      }
    } else if (sign == ']' || sign == '}') {
      --depth;
    }
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<JsonValue> ReadJson(std::string_view text, std::size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes) {
    return SchemaError("TOO_LARGE", "the schema has " + std::to_string(text.size()) +
                                        " bytes; at most " + std::to_string(max_bytes) +
                                        " are taken");
  }
  arrow::util::InitializeUTF8();
  if (!arrow::util::ValidateUTF8(text)) {
    return SchemaError("INVALID_JSON", "the text is not UTF-8");
  }
  ARROW_RETURN_NOT_OK(CheckDepth(text, max_depth));
  return Reader(text).Read();
}

}  // namespace tickmesh::internal
