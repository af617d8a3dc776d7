#include "mapping/json_number.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "mapping/schema_error.h"

namespace tickmesh::internal {

namespace {

/// Numbers beyond 10^±1000 are refused: writing them out would cost more than they can mean.
constexpr std::int64_t kLargestExponent = 1000;
/// Exponents written with more digits are all alike: out of range.
constexpr std::int64_t kAbsurdExponent = 1'000'000'000;

bool IsDigit(char sign) { return sign >= '0' && sign <= '9'; }

std::size_t DigitsAt(std::string_view text, std::size_t place) {
  std::size_t end = place;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return end - place;
}

std::int64_t ExponentOf(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  std::int64_t exponent = 0;
  for (const char sign : text) {
    if (IsDigit(sign)) exponent = std::min(exponent * 10 + (sign - '0'), kAbsurdExponent);
  }
  return is_negative ? -exponent : exponent;
}

arrow::Status OutOfRange(std::string_view text) {
  return SchemaError("NUMBER_OUT_OF_RANGE", "the number " + Quoted(text, 40) + " is out of range");
}

}  // namespace

NumberText NumberText::At(std::string_view text) {
  NumberText found;
  std::size_t place = text.starts_with('-') ? 1 : 0;
  if (place < text.size() && text[place] == '0') {
    ++place;
  } else {
    const std::size_t digits = DigitsAt(text, place);
    if (digits == 0) return found;
    place += digits;
  }
  found.integer_length = place;
  if (place < text.size() && text[place] == '.') {
    const std::size_t digits = DigitsAt(text, place + 1);
    if (digits > 0) place += 1 + digits;
  }
  if (place < text.size() && (text[place] == 'e' || text[place] == 'E')) {
    std::size_t start = place + 1;
    if (start < text.size() && (text[start] == '+' || text[start] == '-')) ++start;
    const std::size_t digits = DigitsAt(text, start);
    if (digits > 0) place = start + digits;
  }
  found.length = place;
  return found;
}

arrow::Result<JsonValue> NumberText::Exact(std::string_view text) const {
  const bool is_plain = length == integer_length;
  if (is_plain && text.size() > static_cast<std::size_t>(kLargestExponent)) {
    return OutOfRange(text);
  }
  const bool is_negative = text.starts_with('-');
  std::string digits(text.substr(is_negative ? 1 : 0, integer_length - (is_negative ? 1 : 0)));
  std::int64_t exponent = 0;
  std::string_view rest = text.substr(integer_length);
  if (rest.starts_with('.')) {
    const std::size_t fraction = DigitsAt(rest, 1);
    digits.append(rest.substr(1, fraction));
    exponent -= static_cast<std::int64_t>(fraction);
    rest.remove_prefix(1 + fraction);
  }
  if (!rest.empty()) exponent += ExponentOf(rest.substr(1));

  const std::size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return JsonValue::Number("0", /*integral=*/true);
  digits.erase(0, first);
  const std::int64_t adjusted = exponent + static_cast<std::int64_t>(digits.size()) - 1;
  if (!is_plain && (std::abs(adjusted) > kLargestExponent ||
                    text.size() > static_cast<std::size_t>(kLargestExponent))) {
    return OutOfRange(text);
  }
  const std::size_t last = digits.find_last_not_of('0');
  exponent += static_cast<std::int64_t>(digits.size() - last - 1);
  digits.resize(last + 1);
  std::string canonical;
  if (is_negative) canonical.push_back('-');
  canonical += digits;
  if (exponent != 0) canonical.append("e").append(std::to_string(exponent));
  return JsonValue::Number(std::move(canonical), /*integral=*/exponent >= 0);
}

}  // namespace tickmesh::internal
