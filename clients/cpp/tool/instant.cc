#include "instant.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "arrow/type.h"
#include "arrow/util/value_parsing.h"
#include "tickmesh/status.h"

namespace tickmesh::tool {

namespace {

constexpr std::int64_t kSecondsOfDay = 86'400;

std::int64_t UnitsOfSecond(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    case arrow::TimeUnit::NANO:
      return 1'000'000'000;
  }
  return 1;
}

/// Quotient and remainder of a division that rounds down, so that instants before 1970 are right.
std::pair<std::int64_t, std::int64_t> Split(std::int64_t value, std::int64_t divisor) {
  std::int64_t quotient = value / divisor;
  std::int64_t remainder = value % divisor;
  if (remainder < 0) {
    remainder += divisor;
    --quotient;
  }
  return {quotient, remainder};
}

/// `.25` as `.250`: decimals in groups of three, none where there is nothing behind the point.
std::string Decimals(std::int64_t fraction, std::int64_t units_of_second) {
  if (fraction == 0) return "";
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%09lld",
                static_cast<long long>(fraction * (1'000'000'000 / units_of_second)));
  std::string text(digits.data(), 9);
  while (text.ends_with("000")) text.resize(text.size() - 3);
  return "." + text;
}

}  // namespace

arrow::Result<std::int64_t> ParseInstant(std::string_view text) {
  std::int64_t instant_ns = 0;
  const char* end = text.data() + text.size();
  if (const auto number = std::from_chars(text.data(), end, instant_ns);
      number.ec == std::errc() && number.ptr == end) {
    return instant_ns;
  }
  const auto parser = arrow::TimestampParser::MakeISO8601();
  bool has_zone = false;
  if ((*parser)(text.data(), text.size(), arrow::TimeUnit::NANO, &instant_ns, &has_zone) &&
      has_zone) {
    return instant_ns;
  }
  return MakeError(
      "expected an instant with its zone, such as 2026-11-20T14:30:00Z, or "
      "nanoseconds since the epoch, was " +
          std::string(text),
      {.code = ErrorCode::kInvalidArgument, .reason = "INVALID_ARGUMENT"});
}

std::string DateText(std::int64_t days) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{static_cast<int>(days)}}};
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text.data();
}

std::string TimeOfDayText(std::int64_t value, arrow::TimeUnit::type unit) {
  const std::int64_t units = UnitsOfSecond(unit);
  const auto [seconds, fraction] = Split(value, units);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", static_cast<int>(seconds / 3600),
                static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  return text.data() + Decimals(fraction, units);
}

std::string InstantText(std::int64_t value, arrow::TimeUnit::type unit) {
  const auto [days, of_day] = Split(value, kSecondsOfDay * UnitsOfSecond(unit));
  return DateText(days) + "T" + TimeOfDayText(of_day, unit) + "Z";
}

}  // namespace tickmesh::tool
