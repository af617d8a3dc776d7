#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/flight/client.h"
#include "arrow/result.h"
#include "arrow/status.h"
#include "arrow/type_fwd.h"
#include "tickmesh/connection_options.h"

namespace tickmesh::internal {

/// One message of a live tail: rows, or a heartbeat where `batch` is null.
struct TailMessage {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::string position;
  std::int64_t dataset_revision = 0;
};

/// One exchange of a live tail with the store: read by one thread, spoken to and cancelled by any.
class TailExchange {
 public:
  virtual ~TailExchange() = default;

  /// The next message; nothing when the store has ended the stream. The first call connects.
  /// Blocks.
  virtual arrow::Result<std::optional<TailMessage>> Next() = 0;

  /// Tell the store how many more batches it may send, and what has been handled. Nothing is told
  /// once the stream has ended, which `Next` says.
  ///
  /// \param position empty for none.
  virtual void Tell(std::int64_t credits, const std::string& position) = 0;

  /// Make `Next` fail soon, now and from now on.
  virtual void Cancel() = 0;
};

/// Begins an exchange behind the resume token of a command.
using OpenExchange = std::function<std::shared_ptr<TailExchange>(
    const api::tickstore::v1::ReadCommand& command, std::int64_t credits)>;

/// The exchange by Flight's `do_exchange`, over a connection of its own.
class FlightTailExchange final : public TailExchange {
 public:
  /// \param credits batches the store may send at first.
  FlightTailExchange(ConnectionOptions options, api::tickstore::v1::ReadCommand command,
                     std::int64_t credits);
  ~FlightTailExchange() override;

  arrow::Result<std::optional<TailMessage>> Next() override;
  void Tell(std::int64_t credits, const std::string& position) override;
  void Cancel() override;

 private:
  using Stream = arrow::flight::FlightClient::DoExchangeResult;

  arrow::Status Open();

  const ConnectionOptions options_;
  const api::tickstore::v1::ReadCommand command_;
  const std::int64_t credits_;
  std::unique_ptr<arrow::flight::FlightClient> client_;
  std::mutex mutex_;  // guards what follows, except for reading
  Stream stream_;
  bool cancelled_ = false;
};

/// Parse one chunk of a tail; metadata comes from outside.
///
/// \param peer whom to name.
///
/// Fails with DATA_LOSS, reason MALFORMED_ANSWER.
arrow::Result<TailMessage> ParseTailChunk(arrow::flight::FlightStreamChunk chunk,
                                          const std::string& peer);

}  // namespace tickmesh::internal
