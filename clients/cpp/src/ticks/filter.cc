#include "tickmesh/filter.h"

#include <cmath>
#include <limits>

#include "tickmesh/status.h"
#include "ticks/filter_node.h"

namespace tickmesh {

namespace wire = api::tickstore::v1;

namespace {

Filter Made(wire::Expression expression) {
  auto node = std::make_shared<Filter::Node>();
  node->expression = std::move(expression);
  return Filter(std::move(node));
}

struct ValueWriter {
  wire::Value* target;

  void operator()(std::int64_t value) const { target->set_integer(value); }
  void operator()(std::uint64_t value) const {
    // One kind for one number, so that conditions are alike however they are written.
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      target->set_integer(static_cast<std::int64_t>(value));
    } else {
      target->set_unsigned_integer(value);
    }
  }
  void operator()(double value) const { target->set_number(value); }
  void operator()(bool value) const { target->set_truth(value); }
  void operator()(const std::string& value) const { target->set_text(value); }
  void operator()(const Instant& value) const { target->set_instant_ns(value.ns); }
};

Filter Compared(const std::string& column, wire::ComparisonOperator how, const ColumnValue& value) {
  wire::Expression expression;
  auto* comparison = expression.mutable_comparison();
  comparison->set_column(column);
  comparison->set_operator_(how);
  std::visit(ValueWriter{comparison->mutable_value()}, value.kind());
  return Made(std::move(expression));
}

/// Both conditions below `junction`; a junction of the same kind on the left grows instead.
Filter Joined(const Filter& left, const Filter& right, bool left_grows,
              wire::Junction* (wire::Expression::*junction)()) {
  if (left.node() == nullptr || right.node() == nullptr) return left.node() ? left : right;
  wire::Expression expression;
  if (left_grows) {
    expression = left.node()->expression;
  } else {
    *(expression.*junction)()->add_operands() = left.node()->expression;
  }
  *(expression.*junction)()->add_operands() = right.node()->expression;
  return Made(std::move(expression));
}

arrow::Status Refused(std::string message) {
  return MakeError(message, {.code = ErrorCode::kInvalidArgument,
                             .reason = "INVALID_ARGUMENT",
                             .violations = {{"where", std::move(message)}}});
}

arrow::Status CheckColumn(const std::string& column) {
  return column.empty() ? Refused("a condition must name its column; one name was empty")
                        : arrow::Status::OK();
}

arrow::Status CheckValue(const std::string& column, const wire::Value& value) {
  if (value.kind_case() == wire::Value::kNumber && std::isnan(value.number())) {
    return Refused("the value for column '" + column +
                   "' is NaN, which equals nothing; for missing values ask IsNull()");
  }
  return arrow::Status::OK();
}

arrow::Status Check(const wire::Expression& expression) {
  switch (expression.node_case()) {
    case wire::Expression::kComparison:
      ARROW_RETURN_NOT_OK(CheckColumn(expression.comparison().column()));
      return CheckValue(expression.comparison().column(), expression.comparison().value());
    case wire::Expression::kMembership:
      ARROW_RETURN_NOT_OK(CheckColumn(expression.membership().column()));
      for (const auto& value : expression.membership().values()) {
        ARROW_RETURN_NOT_OK(CheckValue(expression.membership().column(), value));
      }
      return arrow::Status::OK();
    case wire::Expression::kIsNull:
      return CheckColumn(expression.is_null().column());
    case wire::Expression::kAllOf:
      for (const auto& operand : expression.all_of().operands()) {
        ARROW_RETURN_NOT_OK(Check(operand));
      }
      return arrow::Status::OK();
    case wire::Expression::kAnyOf:
      for (const auto& operand : expression.any_of().operands()) {
        ARROW_RETURN_NOT_OK(Check(operand));
      }
      return arrow::Status::OK();
    case wire::Expression::kNegation:
      return Check(expression.negation());
    case wire::Expression::NODE_NOT_SET:
      return Refused("a condition that lets every row through has no opposite");
  }
  return arrow::Status::OK();
}

}  // namespace

Filter operator&&(const Filter& left, const Filter& right) {
  const bool grows = left.node() != nullptr && left.node()->expression.has_all_of();
  return Joined(left, right, grows, &wire::Expression::mutable_all_of);
}

Filter operator||(const Filter& left, const Filter& right) {
  // Either of every row and some is every row.
  if (left.node() == nullptr || right.node() == nullptr) return {};
  const bool grows = left.node()->expression.has_any_of();
  return Joined(left, right, grows, &wire::Expression::mutable_any_of);
}

Filter Filter::operator!() const {
  wire::Expression expression;
  auto* operand = expression.mutable_negation();
  if (node_ != nullptr) *operand = node_->expression;
  return Made(std::move(expression));
}

Filter Column::operator==(const ColumnValue& value) const {
  return Compared(name_, wire::COMPARISON_OPERATOR_EQUAL, value);
}

Filter Column::operator!=(const ColumnValue& value) const {
  return Compared(name_, wire::COMPARISON_OPERATOR_NOT_EQUAL, value);
}

Filter Column::operator<(const ColumnValue& value) const {
  return Compared(name_, wire::COMPARISON_OPERATOR_LESS, value);
}

Filter Column::operator<=(const ColumnValue& value) const {
  return Compared(name_, wire::COMPARISON_OPERATOR_LESS_OR_EQUAL, value);
}

Filter Column::operator>(const ColumnValue& value) const {
  return Compared(name_, wire::COMPARISON_OPERATOR_GREATER, value);
}

Filter Column::operator>=(const ColumnValue& value) const {
  return Compared(name_, wire::COMPARISON_OPERATOR_GREATER_OR_EQUAL, value);
}

Filter Column::IsIn(const std::vector<ColumnValue>& values) const {
  wire::Expression expression;
  auto* membership = expression.mutable_membership();
  membership->set_column(name_);
  for (const ColumnValue& value : values) {
    std::visit(ValueWriter{membership->add_values()}, value.kind());
  }
  return Made(std::move(expression));
}

Filter Column::Between(const ColumnValue& low, const ColumnValue& high) const {
  return *this >= low && *this <= high;
}

Filter Column::IsNull() const {
  wire::Expression expression;
  expression.mutable_is_null()->set_column(name_);
  return Made(std::move(expression));
}

Filter Column::IsNotNull() const { return !IsNull(); }

namespace internal {

arrow::Result<wire::Expression> FilterMessage(const Filter& filter) {
  ARROW_RETURN_NOT_OK(Check(filter.node()->expression));
  return filter.node()->expression;
}

}  // namespace internal
}  // namespace tickmesh
