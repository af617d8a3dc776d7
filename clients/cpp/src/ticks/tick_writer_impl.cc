#include "ticks/tick_writer_impl.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "arrow/record_batch.h"
#include "arrow/table.h"
#include "arrow/type.h"
#include "tickmesh/status.h"
#include "ticks/put_batches.h"
#include "ticks/put_command.h"

namespace tickmesh {

namespace {

namespace pb = tickmesh::api::tickstore::v1;

/// How long a writer with nothing under way waits for the store to end its stream in good order.
constexpr std::chrono::seconds kLeaveTaking{2};

/// The clock has no instant as far away as the longest time that can be written.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24 * 365);

}  // namespace

arrow::Result<std::unique_ptr<TickWriter::Impl>> TickWriter::Impl::Start(
    std::shared_ptr<internal::TickConnection> connection, const WriterOptions& options,
    Producer producer) {
  auto impl = std::make_unique<Impl>(std::move(connection), options, std::move(producer));
  try {
    impl->thread_ = std::thread(&Impl::Run, impl.get());
  } catch (const std::system_error& error) {
    return MakeError(std::string("no thread for the writer: ") + error.what(),
                     {.code = ErrorCode::kResourceExhausted, .reason = "NO_THREAD"});
  }
  return impl;
}

TickWriter::Impl::Impl(std::shared_ptr<internal::TickConnection> connection,
                       const WriterOptions& options, Producer producer)
    : connection_(std::move(connection)),
      producer_(std::move(producer)),
      command_(internal::WriterCommand(options, producer_)),
      queue_(producer_.last_sequence, options.max_waiting_bytes),
      retry_(options.retry_time) {}

TickWriter::Impl::~Impl() { Abandon(); }

// --- for callers --------------------------------------------------------------------------------

arrow::Status TickWriter::Impl::Put(const std::shared_ptr<arrow::RecordBatch>& batch) {
  if (batch == nullptr) return internal::WrongArgument("batch", "expected rows, was null");
  const std::lock_guard together(handing_in_);
  return HandIn(batch);
}

arrow::Status TickWriter::Impl::Put(const arrow::Table& table) {
  const std::lock_guard together(handing_in_);
  arrow::TableBatchReader reader(table);
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    ARROW_RETURN_NOT_OK(reader.ReadNext(&batch));
    if (batch == nullptr) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(HandIn(batch));
  }
}

arrow::Status TickWriter::Impl::HandIn(const std::shared_ptr<arrow::RecordBatch>& batch) {
  ARROW_RETURN_NOT_OK(CheckSchema(*batch));
  if (batch->num_rows() == 0) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto parts, internal::CutToMessages(batch));
  for (const auto& [part, bytes] : parts) {
    std::unique_lock lock(mutex_);
    progress_.wait(lock, [&, bytes = bytes] {
      return !failure_.ok() || closing_ || queue_.HasRoomFor(bytes);
    });
    ARROW_RETURN_NOT_OK(WhyEnded());
    queue_.Add({.batch = part, .bytes = bytes, .since = Clock::now()});
    work_.notify_one();
  }
  return arrow::Status::OK();
}

arrow::Status TickWriter::Impl::CheckSchema(const arrow::RecordBatch& batch) {
  const std::lock_guard lock(mutex_);
  ARROW_RETURN_NOT_OK(WhyEnded());
  if (schema_ == nullptr) schema_ = batch.schema();
  if (schema_ == batch.schema() || schema_->Equals(*batch.schema(), /*check_metadata=*/false)) {
    return arrow::Status::OK();
  }
  return MakeError(
      "all rows of a writer share the columns of its first ones; open another writer for other "
      "columns. Expected:\n" +
          schema_->ToString() + "\nwas:\n" + batch.schema()->ToString(),
      {.code = ErrorCode::kInvalidArgument, .reason = "WRONG_COLUMNS"});
}

arrow::Status TickWriter::Impl::WhyEnded() const {
  if (!failure_.ok()) return failure_;
  if (!closing_) return arrow::Status::OK();
  return MakeError("the writer is closed; open another one",
                   {.code = ErrorCode::kCancelled, .reason = "CLOSED"});
}

arrow::Result<PutReceipt> TickWriter::Impl::Flush(
    std::optional<std::chrono::milliseconds> timeout) {
  std::unique_lock lock(mutex_);
  const std::int64_t rows = queue_.rows_added();
  const auto stored = [&] { return queue_.rows_acknowledged() >= rows; };
  const auto settled = [&] { return stored() || !failure_.ok() || closing_; };
  if (timeout) {
    progress_.wait_for(lock, std::min(*timeout, kLongestWait), settled);
  } else {
    progress_.wait(lock, settled);
  }
  if (!failure_.ok()) return failure_;
  if (stored()) return Receipt();
  ARROW_RETURN_NOT_OK(WhyEnded());
  const std::string missing = std::to_string(rows - queue_.rows_acknowledged());
  return MakeError(missing + " rows were not acknowledged within " +
                       std::to_string(timeout->count()) + " ms; they may yet be stored",
                   {.code = ErrorCode::kDeadlineExceeded,
                    .reason = "DEADLINE_EXCEEDED",
                    .metadata = {{"rows", missing}}});
}

arrow::Result<PutReceipt> TickWriter::Impl::Close(
    std::optional<std::chrono::milliseconds> timeout) {
  auto receipt = Flush(timeout);
  Abandon();
  return receipt;
}

void TickWriter::Impl::Abandon() {
  const std::lock_guard joining(joining_);
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    closing_ = true;
    work_.notify_one();
    progress_.notify_all();
    if (!queue_.HasUnacknowledged()) {
      progress_.wait_for(lock, kLeaveTaking, [&] { return done_; });
    }
    if (stream_ != nullptr) stream_->Cancel();
  }
  thread_.join();
}

std::int64_t TickWriter::Impl::lag_rows() const {
  const std::lock_guard lock(mutex_);
  return queue_.held_rows();
}

std::chrono::nanoseconds TickWriter::Impl::lag() const {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  return now - queue_.OldestSince(now);
}

PutReceipt TickWriter::Impl::receipt() const {
  const std::lock_guard lock(mutex_);
  return Receipt();
}

PutReceipt TickWriter::Impl::Receipt() const {
  return {.rows = queue_.rows_acknowledged(),
          .batches = queue_.messages_acknowledged(),
          .duplicates = duplicates_,
          .dataset_revision = revision_};
}

// --- on the sender thread -----------------------------------------------------------------------

void TickWriter::Impl::Run() {
  while (WaitForWork()) {
    const arrow::Status sent = SendOverOneStream();
    if (sent.ok() || PauseBeforeRetry(sent)) continue;
    const std::lock_guard lock(mutex_);
    failure_ = sent;
    break;
  }
  const std::lock_guard lock(mutex_);
  done_ = true;
  progress_.notify_all();
}

bool TickWriter::Impl::WaitForWork() {
  std::unique_lock lock(mutex_);
  queue_.SendAgain();
  work_.wait(lock, [&] { return closing_ || queue_.HasUnsent(); });
  return !closing_;
}

arrow::Status TickWriter::Impl::SendOverOneStream() {
  ARROW_ASSIGN_OR_RAISE(const auto stream,
                        internal::PutStream::Open(connection_.get(), command_, schema_));
  {
    const std::lock_guard lock(mutex_);
    stream_ = stream.get();
    stream_ended_ = false;
    stream_fault_ = arrow::Status::OK();
    duplicates_before_ = duplicates_;
    if (closing_) stream_->Cancel();
  }
  std::thread reader;
  arrow::Status sent;
  try {
    reader = std::thread(&Impl::ReadAcknowledgements, this, stream.get());
    sent = SendMessages(stream.get());
  } catch (const std::system_error& error) {
    sent = MakeError(std::string("no thread for the acknowledgements: ") + error.what(),
                     {.code = ErrorCode::kUnavailable, .reason = "NO_THREAD"});
  }
  stream->DoneWriting();
  if (reader.joinable()) reader.join();
  const arrow::Status ended = stream->Finish();

  const std::lock_guard lock(mutex_);
  stream_ = nullptr;
  ARROW_RETURN_NOT_OK(stream_fault_);
  if (closing_) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(ended);
  ARROW_RETURN_NOT_OK(sent);
  return MakeError("the tick store ended the stream",
                   {.code = ErrorCode::kUnavailable, .reason = "STREAM_ENDED"});
}

arrow::Status TickWriter::Impl::SendMessages(internal::PutStream* stream) {
  while (true) {
    std::shared_ptr<internal::PutMessage> message;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return closing_ || stream_ended_ || queue_.HasUnsent(); });
      if (closing_ || stream_ended_) return arrow::Status::OK();
      message = queue_.TakeNext();
    }
    ARROW_ASSIGN_OR_RAISE(const auto batch, BatchOf(message));
    pb::PutMetadata metadata;
    metadata.set_sequence(message->sequence);
    ARROW_RETURN_NOT_OK(stream->Write(*batch, metadata));
  }
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> TickWriter::Impl::BatchOf(
    const std::shared_ptr<internal::PutMessage>& message) {
  auto joined = internal::Joined(message->parts);
  if (!joined.ok()) {
    // Dictionaries that cannot be one, as where their indices run out: each in a message of its
    // own.
    const std::lock_guard lock(mutex_);
    queue_.KeepFirstPart(message);
    return message->parts.front().batch;
  }
  if (message->parts.size() > 1) {
    // Only this thread looks at the parts; what they were made of is not needed any more.
    message->parts = {{.batch = *joined, .bytes = message->bytes, .since = message->since}};
  }
  return joined;
}

bool TickWriter::Impl::PauseBeforeRetry(const arrow::Status& failure) {
  std::unique_lock lock(mutex_);
  const double draw = std::uniform_real_distribution<double>(0, 1)(jitter_);
  const auto pause = retry_.PauseAfter(failure, Clock::now(), draw);
  if (!pause) return false;
  work_.wait_for(lock, *pause, [&] { return closing_; });
  return true;
}

// --- on a stream's reading thread ---------------------------------------------------------------

void TickWriter::Impl::ReadAcknowledgements(internal::PutStream* stream) {
  while (true) {
    auto read = stream->ReadAcknowledgement();
    const std::lock_guard lock(mutex_);
    if (!read.ok() || !*read) {
      if (!read.ok()) {
        stream_fault_ = read.status();
        stream->Cancel();
      }
      stream_ended_ = true;
      work_.notify_one();
      return;
    }
    const pb::PutAcknowledgement& told = **read;
    if (queue_.Acknowledge(told.through_sequence())) {
      retry_.Progress();
      if (told.dataset_revision() != 0) revision_ = told.dataset_revision();
    }
    duplicates_ = duplicates_before_ + told.duplicates();
    if (told.state() == pb::ACKNOWLEDGEMENT_LEVEL_UNSPECIFIED) {
      // The store takes no more on this stream; its end tells why.
      stream_ended_ = true;
      work_.notify_one();
    }
    progress_.notify_all();
  }
}

}  // namespace tickmesh
