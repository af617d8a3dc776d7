#include "ticks/put_batches.h"

#include <algorithm>
#include <string>

#include "arrow/array.h"
#include "arrow/record_batch.h"
#include "arrow/util/byte_size.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

using Batches = std::vector<SizedBatch>;

arrow::Status TooLarge(const std::string& what, std::int64_t bytes) {
  return MakeError(what + " has " + std::to_string(bytes) + " bytes; a message takes at most " +
                       std::to_string(kMaxWireBytes),
                   {.code = ErrorCode::kInvalidArgument,
                    .reason = "MESSAGE_TOO_LARGE",
                    .metadata = {{"bytes", std::to_string(bytes)},
                                 {"maxBytes", std::to_string(kMaxWireBytes)}}});
}

/// Bytes without dictionaries, which travel in messages of their own.
arrow::Result<std::int64_t> RowBytes(const arrow::RecordBatch& batch) {
  std::int64_t total = 0;
  for (int position = 0; position < batch.num_columns(); ++position) {
    const auto& column = *batch.column(position);
    const bool encoded = column.type_id() == arrow::Type::DICTIONARY;
    ARROW_ASSIGN_OR_RAISE(
        const std::int64_t bytes,
        arrow::util::ReferencedBufferSize(
            encoded ? *static_cast<const arrow::DictionaryArray&>(column).indices() : column));
    total += bytes;
  }
  return total;
}

arrow::Status CheckDictionaries(const arrow::RecordBatch& batch) {
  for (int position = 0; position < batch.num_columns(); ++position) {
    const auto& column = *batch.column(position);
    if (column.type_id() != arrow::Type::DICTIONARY) continue;
    ARROW_ASSIGN_OR_RAISE(const std::int64_t bytes,
                          arrow::util::ReferencedBufferSize(
                              *static_cast<const arrow::DictionaryArray&>(column).dictionary()));
    if (bytes > kMaxWireBytes) {
      return TooLarge(
          "the dictionary of column \"" + batch.schema()->field(position)->name() + "\"", bytes);
    }
  }
  return arrow::Status::OK();
}

arrow::Status AddPart(const std::shared_ptr<arrow::RecordBatch>& part, Batches* parts) {
  ARROW_ASSIGN_OR_RAISE(const std::int64_t bytes, arrow::util::ReferencedBufferSize(*part));
  parts->push_back({part, bytes});
  return arrow::Status::OK();
}

arrow::Status Cut(const std::shared_ptr<arrow::RecordBatch>& batch, Batches* parts) {
  const std::int64_t rows = batch->num_rows();
  ARROW_ASSIGN_OR_RAISE(const std::int64_t bytes, RowBytes(*batch));
  if (rows <= kMaxMessageRows && bytes <= kMaxMessageBytes) return AddPart(batch, parts);
  if (rows == 1) {
    return bytes > kMaxWireBytes ? TooLarge("a single row", bytes) : AddPart(batch, parts);
  }
  // Rows differ in size: parts that are still too large are cut again.
  const double fitting_share = static_cast<double>(kMaxMessageBytes) / static_cast<double>(bytes);
  const auto fitting =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(fitting_share * static_cast<double>(rows)),
                               1, std::min(kMaxMessageRows, rows - 1));
  for (std::int64_t first = 0; first < rows; first += fitting) {
    const auto part = batch->Slice(first, fitting);
    ARROW_ASSIGN_OR_RAISE(const std::int64_t part_bytes, RowBytes(*part));
    ARROW_RETURN_NOT_OK(part_bytes <= kMaxWireBytes ? AddPart(part, parts) : Cut(part, parts));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<Batches> CutToMessages(const std::shared_ptr<arrow::RecordBatch>& batch) {
  Batches parts;
  ARROW_ASSIGN_OR_RAISE(const std::int64_t bytes, arrow::util::ReferencedBufferSize(*batch));
  if (batch->num_rows() <= kMaxMessageRows && bytes <= kMaxMessageBytes) {
    parts.push_back({batch, bytes});
    return parts;
  }
  ARROW_RETURN_NOT_OK(CheckDictionaries(*batch));
  ARROW_RETURN_NOT_OK(Cut(batch, &parts));
  return parts;
}

}  // namespace tickmesh::internal
