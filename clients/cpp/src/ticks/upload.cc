#include "ticks/upload.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "arrow/record_batch.h"
#include "arrow/type.h"
#include "tickmesh/status.h"
#include "ticks/put_batches.h"
#include "ticks/put_command.h"
#include "ticks/put_stream.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

namespace {

namespace pb = tickmesh::api::tickstore::v1;

struct Sent {
  std::int64_t batches = 0;
  std::int64_t rows = 0;
};

/// Why no batch could be read: what our own readers say already says it.
arrow::Status Unreadable(const arrow::Status& status) {
  if (GetErrorDetails(status) != nullptr) return status;
  return MakeError("the data to put could not be read: " + status.message(),
                   {.code = ErrorCode::kInvalidArgument, .reason = "DATA_UNREADABLE"});
}

arrow::Status SendAll(PutStream* stream, arrow::RecordBatchReader* data, Sent* sent) {
  const pb::PutMetadata plain;
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    if (const auto read = data->ReadNext(&batch); !read.ok()) return Unreadable(read);
    if (batch == nullptr) break;
    ARROW_ASSIGN_OR_RAISE(const auto parts, CutToMessages(batch));
    for (const auto& part : parts) {
      ARROW_RETURN_NOT_OK(stream->Write(*part.batch, plain));
      ++sent->batches;
      sent->rows += part.batch->num_rows();
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto empty, arrow::RecordBatch::MakeEmpty(data->schema()));
  if (sent->batches == 0) {
    // No rows still have columns, which the store can judge.
    ARROW_RETURN_NOT_OK(stream->Write(*empty, plain));
    ++sent->batches;
  }
  pb::PutMetadata last;
  last.mutable_final()->set_batches(sent->batches);
  last.mutable_final()->set_rows(sent->rows);
  return stream->Write(*empty, last);
}

}  // namespace

arrow::Result<PutReceipt> Upload(TickConnection* connection, const std::string& subject,
                                 arrow::RecordBatchReader* data, const PutOptions& options) {
  if (subject.empty()) return WrongArgument("subject", "expected a name, was empty");
  if (options.version < 0) {
    return WrongArgument("version", "expected a version from 1, or 0 for the one in force; was " +
                                        std::to_string(options.version));
  }
  ARROW_ASSIGN_OR_RAISE(const auto stream,
                        PutStream::Open(connection, UploadCommand(subject, options.version),
                                        data->schema(), options.timeout));
  Sent sent;
  const arrow::Status sending = SendAll(stream.get(), data, &sent);
  if (!sending.ok() && !stream->write_failed()) {
    // Without its marker the upload is dropped.
    stream->Cancel();
    (void)stream->Finish();
    return sending;
  }
  stream->DoneWriting();
  PutReceipt receipt{.batches = sent.batches};
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto acknowledgement, stream->ReadAcknowledgement());
    if (!acknowledgement) break;
    receipt.rows = acknowledgement->rows();
    receipt.duplicates = acknowledgement->duplicates();
    receipt.dataset_revision = acknowledgement->dataset_revision();
  }
  ARROW_RETURN_NOT_OK(stream->Finish());
  return receipt;
}

}  // namespace tickmesh::internal
