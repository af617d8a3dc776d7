#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "tickmesh/tick_writer.h"
#include "ticks/put_queue.h"
#include "ticks/put_retry.h"
#include "ticks/put_stream.h"
#include "ticks/tick_connection.h"

namespace tickmesh {

/// Callers hand rows in under `mutex_`; the sender thread takes messages and writes them without
/// it; a thread of each stream reads its acknowledgements.
class TickWriter::Impl {
 public:
  static arrow::Result<std::unique_ptr<Impl>> Start(
      std::shared_ptr<internal::TickConnection> connection, const WriterOptions& options,
      Producer producer);

  /// Use `Start`: the sender is not running yet.
  Impl(std::shared_ptr<internal::TickConnection> connection, const WriterOptions& options,
       Producer producer);
  ~Impl();

  arrow::Status Put(const std::shared_ptr<arrow::RecordBatch>& batch);
  arrow::Status Put(const arrow::Table& table);
  arrow::Result<PutReceipt> Flush(std::optional<std::chrono::milliseconds> timeout);
  arrow::Result<PutReceipt> Close(std::optional<std::chrono::milliseconds> timeout);
  void Abandon();

  std::int64_t lag_rows() const;
  std::chrono::nanoseconds lag() const;
  PutReceipt receipt() const;
  const Producer& producer() const { return producer_; }

 private:
  using Clock = std::chrono::steady_clock;

  // For callers.
  arrow::Status HandIn(const std::shared_ptr<arrow::RecordBatch>& batch);
  arrow::Status CheckSchema(const arrow::RecordBatch& batch);
  arrow::Status WhyEnded() const;  // under mutex_: a failure, or that the writer is closed
  PutReceipt Receipt() const;      // under mutex_

  // On the sender thread.
  void Run();
  bool WaitForWork();
  /// One stream, from opening it to its end. OK once the writer is closing.
  arrow::Status SendOverOneStream();
  /// Send until the stream ends or the writer does.
  arrow::Status SendMessages(internal::PutStream* stream);
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(
      const std::shared_ptr<internal::PutMessage>& message);
  /// Pause before the next try; false where there should be none.
  bool PauseBeforeRetry(const arrow::Status& failure);

  // On a stream's reading thread.
  void ReadAcknowledgements(internal::PutStream* stream);

  const std::shared_ptr<internal::TickConnection> connection_;
  const Producer producer_;
  const api::tickstore::v1::PutCommand command_;

  std::mutex handing_in_;  // keeps the rows of one Put together; taken before mutex_
  std::mutex joining_;     // guards thread_; taken before mutex_
  std::thread thread_;

  mutable std::mutex mutex_;          // guards what follows
  std::condition_variable work_;      // for the sender
  std::condition_variable progress_;  // for callers
  internal::PutQueue queue_;
  internal::PutRetry retry_;
  std::shared_ptr<arrow::Schema> schema_;  // of the first rows; set once
  internal::PutStream* stream_ = nullptr;  // the open one
  arrow::Status stream_fault_;             // what its reader could not read
  bool stream_ended_ = false;
  bool closing_ = false;
  bool done_ = false;  // the sender is
  arrow::Status failure_;
  std::int64_t duplicates_before_ = 0;  // of earlier streams
  std::int64_t duplicates_ = 0;
  std::int64_t revision_ = 0;
  std::minstd_rand jitter_{std::random_device{}()};
};

}  // namespace tickmesh
