#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "arrow/status.h"
#include "ticks/call_threads.h"
#include "ticks/tail_credits.h"
#include "ticks/tail_exchange.h"

namespace tickmesh::internal {

/// What comes next of a stream: a message, its end, or nothing in time.
struct TailEvent {
  std::optional<TailMessage> message;
  /// Why the stream ended; OK while it goes on.
  arrow::Status ended;
};

/// One stream of a tail, from its beginning to its end: a thread reads it ahead of the consumer, in
/// bounded memory, and answers heartbeats.
class TailStream {
 public:
  using Clock = std::chrono::steady_clock;

  /// \param silence_limit how long nothing may come before the stream counts as interrupted.
  /// \param peer whom to name.
  TailStream(std::shared_ptr<TailExchange> exchange, std::chrono::milliseconds silence_limit,
             const std::string& peer);
  TailStream(const TailStream&) = delete;
  TailStream& operator=(const TailStream&) = delete;
  ~TailStream();

  /// Wait for the next event, until an instant; by the consumer's thread.
  ///
  /// Coming back for more says that the message before was handled: the store may send further
  /// ones.
  TailEvent Next(std::optional<Clock::time_point> until);

  /// End the stream, with CANCELLED; from any thread, and without waiting.
  void Cancel();

 private:
  class State;

  std::shared_ptr<State> state_;
  CallThreads threads_;
  TailCredits credits_;
  // Behind the batch that the consumer holds, if it holds one.
  std::optional<std::string> held_;
};

}  // namespace tickmesh::internal
