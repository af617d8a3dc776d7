#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/result.h"
#include "tickmesh/tick_tail.h"
#include "ticks/tail_exchange.h"
#include "ticks/tail_pause.h"
#include "ticks/tail_stream.h"
#include "ticks/tick_connection.h"

namespace tickmesh {

/// A tail over one stream after the other.
class TickTail::Impl {
 public:
  using Clock = std::chrono::steady_clock;

  /// \param command what to follow, from its resume token on.
  /// \param peer whom to name in errors.
  Impl(api::tickstore::v1::ReadCommand command, std::string peer,
       std::chrono::milliseconds silence_limit,
       std::function<void(const arrow::Status&)> on_interruption, internal::OpenExchange open);
  ~Impl();

  arrow::Result<std::optional<TailBatch>> Next(std::optional<std::chrono::milliseconds> timeout);
  std::string position() const;
  std::int64_t interruptions() const;
  void Close();

 private:
  arrow::Result<std::shared_ptr<internal::TailStream>> Stream(
      std::optional<Clock::time_point> until);
  arrow::Status Interrupted(arrow::Status why);

  api::tickstore::v1::ReadCommand command_;
  const std::string peer_;
  const std::chrono::milliseconds silence_limit_;
  const std::function<void(const arrow::Status&)> on_interruption_;
  const internal::OpenExchange open_;
  internal::TailPause pause_;
  Clock::time_point resume_at_ = {};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable closing_;
  std::shared_ptr<internal::TailStream> stream_;
  arrow::Status failed_;
  std::string position_;
  std::int64_t interruptions_ = 0;
};

namespace internal {

/// Follow a dataset; see TickClient::Tail.
arrow::Result<std::unique_ptr<TickTail>> OpenTail(const std::shared_ptr<TickConnection>& connection,
                                                  const TailOptions& options);

}  // namespace internal
}  // namespace tickmesh
