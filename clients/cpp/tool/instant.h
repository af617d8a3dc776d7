#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arrow/result.h"
#include "arrow/type_fwd.h"

namespace tickmesh::tool {

/// Read an instant: RFC 3339 with its zone and up to nine decimals, or nanoseconds since the epoch.
arrow::Result<std::int64_t> ParseInstant(std::string_view text);

/// RFC 3339 in UTC, with as many decimals as it needs, in groups of three; of a value in `unit`.
std::string InstantText(std::int64_t value, arrow::TimeUnit::type unit = arrow::TimeUnit::NANO);

/// `2026-11-22`, of days since 1970-01-01.
std::string DateText(std::int64_t days);

/// `14:30:00.25`, of a time of day in `unit`.
std::string TimeOfDayText(std::int64_t value, arrow::TimeUnit::type unit);

}  // namespace tickmesh::tool
