#include "ticks/read_command.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "google/protobuf/any.pb.h"
#include "tickmesh/status.h"
#include "ticks/filter_node.h"

namespace tickmesh::internal {

namespace {

namespace wire = api::tickstore::v1;

constexpr int kMostConnections = 16;

arrow::Status Refused(std::string_view field, std::string message) {
  return MakeError(message, {.code = ErrorCode::kInvalidArgument,
                             .reason = "INVALID_ARGUMENT",
                             .violations = {{std::string(field), std::move(message)}}});
}

/// 0 is none given.
arrow::Status CheckCount(std::int64_t number, std::string_view field) {
  if (number >= 0) return arrow::Status::OK();
  return Refused(field, std::string(field) +
                            " must be a whole number from 1, or 0 for none; it was " +
                            std::to_string(number));
}

arrow::Status CheckTime(std::chrono::milliseconds time, std::string_view field) {
  if (time > std::chrono::milliseconds(0)) return arrow::Status::OK();
  return Refused(field, std::string(field) + " must be a positive time; it was " +
                            std::to_string(time.count()) + " ms");
}

template <typename Repeated>
arrow::Status CopyNames(const std::vector<std::string>& names, std::string_view field,
                        Repeated* target) {
  for (const std::string& name : names) {
    if (name.empty()) return Refused(field, std::string(field) + " must be names; one was empty");
    target->Add(std::string(name));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<wire::ReadCommand> MakeReadCommand(const ReadOptions& options) {
  ARROW_RETURN_NOT_OK(CheckCount(options.limit, "limit"));
  ARROW_RETURN_NOT_OK(CheckCount(options.as_of_revision, "as_of_revision"));
  ARROW_RETURN_NOT_OK(CheckCount(options.version, "version"));
  ARROW_RETURN_NOT_OK(CheckCount(options.generation, "generation"));
  ARROW_RETURN_NOT_OK(CheckTime(options.timeout, "timeout"));
  if (options.parallelism < 1 || options.parallelism > kMostConnections) {
    return Refused("parallelism", "parallelism must be 1 to " + std::to_string(kMostConnections) +
                                      "; it was " + std::to_string(options.parallelism));
  }
  if (options.as_of_revision != 0 && !options.snapshot.empty()) {
    return Refused("snapshot", "as_of_revision " + std::to_string(options.as_of_revision) +
                                   " and snapshot \"" + options.snapshot +
                                   "\" both say what to read; give one of them");
  }
  if (options.start_ns && options.end_ns && *options.start_ns > *options.end_ns) {
    return Refused("start_ns", "start_ns " + std::to_string(*options.start_ns) +
                                   " lies behind end_ns " + std::to_string(*options.end_ns) +
                                   "; a range is half-open, start to end");
  }

  wire::ReadCommand command;
  command.set_dataset(options.dataset);
  if (options.start_ns) command.set_start_ns(*options.start_ns);
  if (options.end_ns) command.set_end_ns(*options.end_ns);
  ARROW_RETURN_NOT_OK(CopyNames(options.symbols, "symbols", command.mutable_symbols()));
  ARROW_RETURN_NOT_OK(CopyNames(options.columns, "columns", command.mutable_columns()));
  if (options.where.node() != nullptr) {
    ARROW_ASSIGN_OR_RAISE(*command.mutable_filter(), FilterMessage(options.where));
  }
  command.set_limit(options.limit);
  command.set_order(options.order == ReadOrder::kTime ? wire::READ_ORDER_TIME
                                                      : wire::READ_ORDER_ARRIVAL);
  command.set_as_of_revision(options.as_of_revision);
  command.set_snapshot(options.snapshot);
  command.set_reader_version(options.version);
  command.set_generation(options.generation);
  command.set_stamps(options.stamps);
  return command;
}

arrow::Result<wire::ReadCommand> MakeTailCommand(const TailOptions& options) {
  ARROW_RETURN_NOT_OK(CheckCount(options.version, "version"));
  ARROW_RETURN_NOT_OK(CheckTime(options.silence_limit, "silence_limit"));

  wire::ReadCommand command;
  command.set_dataset(options.dataset);
  ARROW_RETURN_NOT_OK(CopyNames(options.symbols, "symbols", command.mutable_symbols()));
  ARROW_RETURN_NOT_OK(CopyNames(options.columns, "columns", command.mutable_columns()));
  if (options.where.node() != nullptr) {
    ARROW_ASSIGN_OR_RAISE(*command.mutable_filter(), FilterMessage(options.where));
  }
  command.set_reader_version(options.version);
  command.set_follow(true);
  command.set_resume_token(options.after);
  return command;
}

arrow::flight::FlightDescriptor CommandDescriptor(const wire::ReadCommand& command) {
  google::protobuf::Any any;
  any.PackFrom(command);
  return arrow::flight::FlightDescriptor::Command(any.SerializeAsString());
}

}  // namespace tickmesh::internal
