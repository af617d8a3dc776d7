#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tickmesh::internal {

/// A JSON value, exact: objects keep the order of the text, numbers every digit.
///
/// The mapping tells schemas apart by the identity of their objects, so nobody moves or changes a
/// value once it is read.
class JsonValue {
 public:
  enum class Kind : std::uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };

  JsonValue() = default;
  JsonValue(JsonValue&&) noexcept = default;
  JsonValue& operator=(JsonValue&&) noexcept = default;
  JsonValue(const JsonValue&) = delete;
  JsonValue& operator=(const JsonValue&) = delete;

  static JsonValue Boolean(bool value);
  /// \param canonical the number's shortest exact form, equal for equal numbers.
  static JsonValue Number(std::string canonical, bool integral);
  static JsonValue String(std::string text);
  static JsonValue Array(std::vector<JsonValue> items);
  static JsonValue Object(std::vector<std::pair<std::string, JsonValue>> members);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_boolean() const { return kind_ == Kind::kBoolean; }
  bool is_number() const { return kind_ == Kind::kNumber; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_object() const { return kind_ == Kind::kObject; }

  bool is_true() const { return kind_ == Kind::kBoolean && flag_; }
  bool is_false() const { return kind_ == Kind::kBoolean && !flag_; }
  /// Whether a number is integral, as 1.0 is.
  bool is_integral() const { return kind_ == Kind::kNumber && flag_; }
  bool is_negative() const { return kind_ == Kind::kNumber && text_.starts_with('-'); }
  /// Whether this is an object, true or false, as schemas are.
  bool is_schema() const { return is_object() || is_boolean(); }

  /// The text of a string; the canonical form of a number.
  const std::string& text() const { return text_; }
  /// The items of an array; none of anything else.
  const std::vector<JsonValue>& items() const { return items_; }
  /// The members of an object in the order of the text; none of anything else.
  const std::vector<std::pair<std::string, JsonValue>>& members() const { return members_; }
  /// The member of an object; null when there is none.
  const JsonValue* Find(std::string_view name) const;

  /// A text that is equal for values that are equal, whatever the order of members.
  std::string Canonical() const;

 private:
  void AppendCanonical(std::string* out) const;

  Kind kind_ = Kind::kNull;
  bool flag_ = false;
  std::string text_;
  std::vector<JsonValue> items_;
  std::vector<std::pair<std::string, JsonValue>> members_;
  /// Places of the members by name, of objects that have many.
  std::unique_ptr<const std::unordered_map<std::string_view, std::size_t>> places_;
};

}  // namespace tickmesh::internal
