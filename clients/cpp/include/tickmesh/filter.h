#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tickmesh/export.h"

/// \file
/// Which rows are wanted: comparisons of columns with values, joined by `&&`, `||` and `!`.
///
///     Col("price") > 100.0
///     Col("symbol") == "AAPL" && Col("price").Between(100, 200)
///     !Col("venue").IsIn({"XNAS", "ARCX"}) || Col("venue").IsNull()
///
/// Nulls are SQL's: a comparison with a null is neither true nor false, its negation neither, and
/// only rows for which the whole is true are wanted.

namespace tickmesh {

/// An instant, to be compared with a column of times.
struct Instant {
  /// Nanoseconds since the epoch, UTC.
  std::int64_t ns = 0;
};

/// What a column is compared with: an integer, a floating-point number, a truth, text or an
/// instant. The store refuses a value that the column's type does not hold exactly.
class TICKMESH_EXPORT ColumnValue {
 public:
  using Kind = std::variant<std::int64_t, std::uint64_t, double, bool, std::string, Instant>;

  // Made from plain values, so that a comparison reads as one.
  template <std::signed_integral Integer>
  ColumnValue(Integer value) : kind_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral Integer>
    requires(!std::same_as<Integer, bool>)
  ColumnValue(Integer value) : kind_(static_cast<std::uint64_t>(value)) {}
  template <std::floating_point Number>
  ColumnValue(Number value) : kind_(static_cast<double>(value)) {}
  ColumnValue(std::same_as<bool> auto value) : kind_(value) {}
  ColumnValue(const char* value) : kind_(std::string(value)) {}
  ColumnValue(std::string_view value) : kind_(std::string(value)) {}
  ColumnValue(std::string value) : kind_(std::move(value)) {}
  ColumnValue(Instant value) : kind_(value) {}

  const Kind& kind() const { return kind_; }

 private:
  Kind kind_;
};

/// A condition on rows; immutable and cheap to copy. A default one lets every row through.
class TICKMESH_EXPORT Filter {
 public:
  class Node;

  Filter() = default;
  explicit Filter(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

  /// True where both are.
  friend TICKMESH_EXPORT Filter operator&&(const Filter& left, const Filter& right);
  /// True where either is.
  friend TICKMESH_EXPORT Filter operator||(const Filter& left, const Filter& right);
  /// True where it is false.
  Filter operator!() const;

  /// Null for every row.
  const std::shared_ptr<const Node>& node() const { return node_; }

 private:
  std::shared_ptr<const Node> node_;
};

/// A column by its name, to be compared.
class TICKMESH_EXPORT Column {
 public:
  explicit Column(std::string name) : name_(std::move(name)) {}

  Filter operator==(const ColumnValue& value) const;
  Filter operator!=(const ColumnValue& value) const;
  Filter operator<(const ColumnValue& value) const;
  Filter operator<=(const ColumnValue& value) const;
  Filter operator>(const ColumnValue& value) const;
  Filter operator>=(const ColumnValue& value) const;

  /// True where the value is one of several; for none of them it is never true.
  Filter IsIn(const std::vector<ColumnValue>& values) const;
  /// True from `low` to `high`, both included.
  Filter Between(const ColumnValue& low, const ColumnValue& high) const;
  /// True where there is no value.
  Filter IsNull() const;
  /// True where there is one.
  Filter IsNotNull() const;

 private:
  std::string name_;
};

/// A column by its name: `Col("price") > 100`.
inline Column Col(std::string name) { return Column(std::move(name)); }

}  // namespace tickmesh
