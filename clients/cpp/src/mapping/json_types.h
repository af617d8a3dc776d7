#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mapping/json_value.h"

namespace tickmesh::internal {

/// A set of JSON types; `number` stands for what is not integral.
class JsonTypes {
 public:
  enum Type : std::uint8_t {
    kArray = 1,
    kBoolean = 2,
    kInteger = 4,
    kNull = 8,
    kNumber = 16,
    kObject = 32,
    kString = 64,
  };

  constexpr JsonTypes() = default;
  constexpr JsonTypes(Type type) : bits_(type) {}  // NOLINT: one type is a set of one
  static constexpr JsonTypes All() { return JsonTypes(static_cast<std::uint8_t>(127), 0); }
  /// The type of a value.
  static JsonTypes Of(const JsonValue& value);
  /// The types a `type` keyword admits; `number` admits integers too.
  static JsonTypes Stated(const JsonValue& type);

  constexpr bool Has(Type type) const { return (bits_ & type) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool is_one() const { return bits_ != 0 && (bits_ & (bits_ - 1)) == 0; }
  constexpr JsonTypes Without(Type type) const {
    return JsonTypes(static_cast<std::uint8_t>(bits_ & ~type), 0);
  }
  constexpr bool IsWithin(JsonTypes others) const { return (bits_ & ~others.bits_) == 0; }
  constexpr JsonTypes operator&(JsonTypes other) const {
    return JsonTypes(static_cast<std::uint8_t>(bits_ & other.bits_), 0);
  }
  constexpr JsonTypes operator|(JsonTypes other) const {
    return JsonTypes(static_cast<std::uint8_t>(bits_ | other.bits_), 0);
  }
  constexpr bool operator==(const JsonTypes&) const = default;

  /// Their names in order, with `or` between them.
  std::string ToString() const;

 private:
  constexpr JsonTypes(std::uint8_t bits, int /*raw*/) : bits_(bits) {}

  std::uint8_t bits_ = 0;
};

}  // namespace tickmesh::internal
