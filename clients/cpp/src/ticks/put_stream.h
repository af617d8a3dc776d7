#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/flight/client.h"
#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "ticks/tick_connection.h"
#include "wire/call_handle.h"

namespace tickmesh::internal {

/// One put: batches of one schema go up, acknowledgements come down.
///
/// One thread writes and another may read meanwhile; `Cancel` is for any thread. The end that loses
/// nothing: `DoneWriting`, read acknowledgements until there is none, then `Finish`.
class PutStream {
 public:
  using Acknowledgement = api::tickstore::v1::PutAcknowledgement;

  /// \param timeout ends the whole put; none when unset.
  static arrow::Result<std::unique_ptr<PutStream>> Open(
      TickConnection* connection, const api::tickstore::v1::PutCommand& command,
      const std::shared_ptr<arrow::Schema>& schema,
      std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  PutStream(const PutStream&) = delete;
  PutStream& operator=(const PutStream&) = delete;
  /// Cancels what was not finished.
  ~PutStream();

  /// Send one batch; blocks while the store does not read. A failure only says that the stream is
  /// over: `Finish` says why.
  arrow::Status Write(const arrow::RecordBatch& batch,
                      const api::tickstore::v1::PutMetadata& metadata);

  /// Wait for the next acknowledgement; nothing once the stream has ended, for whatever reason.
  arrow::Result<std::optional<Acknowledgement>> ReadAcknowledgement();

  /// Send no more batches.
  void DoneWriting();

  /// The end of the stream, in our terms. Reads and drops what was not read; not while another
  /// thread reads.
  arrow::Status Finish();

  /// Whether a write failed, so that `Finish` has to say why.
  bool write_failed() const { return write_failed_; }

  /// End the call at once, from any thread: whoever is in one of the others returns.
  void Cancel();

 private:
  PutStream(std::string address, arrow::flight::FlightClient::DoPutResult put,
            std::shared_ptr<CallHandle> call);

  const std::string address_;
  // They hold the call together.
  std::unique_ptr<arrow::flight::FlightStreamWriter> writer_;
  std::unique_ptr<arrow::flight::FlightMetadataReader> reader_;
  const std::shared_ptr<CallHandle> call_;
  arrow::Status unsendable_;  // why this side could not send a batch
  bool write_failed_ = false;
  bool finished_ = false;
};

}  // namespace tickmesh::internal
