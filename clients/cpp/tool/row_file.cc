#include "row_file.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "arrow/compute/cast.h"
#include "arrow/csv/api.h"
#include "arrow/io/file.h"
#include "arrow/ipc/writer.h"
#include "arrow/record_batch.h"
#include "arrow/type.h"
#include "tickmesh/arrow_schema.h"
#include "tickmesh/status.h"

namespace tickmesh::tool {

namespace {

/// What the system said, where it was the system: the message then tells which step of Arrow's
/// failed.
std::string WhyOf(const arrow::Status& status) {
  return status.detail() == nullptr ? status.message() : status.detail()->ToString();
}

arrow::Status NotReadable(const std::string& file, const arrow::Status& why) {
  return MakeError(std::filesystem::path(file).filename().string() + " cannot be read: " +
                       WhyOf(why) + "; expected a CSV file that begins with the names of columns",
                   {.code = ErrorCode::kInvalidArgument, .reason = "INVALID_ARGUMENT"});
}

arrow::Status NotWritable(const std::filesystem::path& file, const std::string& why) {
  return arrow::Status::IOError(file.filename().string(), " cannot be written: ", why,
                                "; nothing of it is left: make room, or name another --out FILE");
}

/// Says which file it was that could not be read on.
class CsvRows final : public arrow::RecordBatchReader {
 public:
  CsvRows(std::string file, std::shared_ptr<arrow::csv::StreamingReader> rows)
      : file_(std::move(file)), rows_(std::move(rows)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return rows_->schema(); }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    const arrow::Status read = rows_->ReadNext(batch);
    return read.ok() ? read : NotReadable(file_, read);
  }

 private:
  std::string file_;
  std::shared_ptr<arrow::csv::StreamingReader> rows_;
};

/// What a column is in a file: a dictionary's values, everything else itself.
std::shared_ptr<arrow::DataType> TypeInFile(const std::shared_ptr<arrow::DataType>& type) {
  return type->id() == arrow::Type::DICTIONARY
             ? static_cast<const arrow::DictionaryType&>(*type).value_type()
             : type;
}

std::shared_ptr<arrow::Schema> SchemaInFile(const arrow::Schema& schema) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (const auto& field : schema.fields()) {
    fields.push_back(field->WithType(TypeInFile(field->type())));
  }
  return arrow::schema(std::move(fields), schema.metadata());
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Decoded(
    const arrow::RecordBatch& batch, const std::shared_ptr<arrow::Schema>& schema) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int at = 0; at < batch.num_columns(); ++at) {
    auto column = batch.column(at);
    if (column->type_id() == arrow::Type::DICTIONARY) {
      ARROW_ASSIGN_OR_RAISE(column, arrow::compute::Cast(*column, schema->field(at)->type()));
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

arrow::Result<std::shared_ptr<arrow::ipc::RecordBatchWriter>> OpenWriter(
    const std::filesystem::path& file, const std::filesystem::path& partial,
    const std::shared_ptr<arrow::Schema>& schema) {
  const bool is_csv = file.extension() == ".csv";
  if (!is_csv && file.extension() != ".arrow") {
    return MakeError("expected a .csv or .arrow file, was " + file.filename().string(),
                     {.code = ErrorCode::kInvalidArgument, .reason = "INVALID_ARGUMENT"});
  }
  ARROW_ASSIGN_OR_RAISE(auto out, arrow::io::FileOutputStream::Open(partial.string()));
  if (is_csv) return arrow::csv::MakeCSVWriter(std::move(out), schema);
  return arrow::ipc::MakeFileWriter(std::move(out), schema);
}

arrow::Result<std::int64_t> WriteAll(arrow::RecordBatchReader* rows,
                                     arrow::ipc::RecordBatchWriter* writer,
                                     const std::shared_ptr<arrow::Schema>& schema) {
  std::int64_t written = 0;
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    ARROW_RETURN_NOT_OK(rows->ReadNext(&batch));
    if (batch == nullptr) break;
    ARROW_ASSIGN_OR_RAISE(const auto decoded, Decoded(*batch, schema));
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*decoded));
    written += batch->num_rows();
  }
  ARROW_RETURN_NOT_OK(writer->Close());
  return written;
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenCsv(const std::string& file,
                                                                 const RegisteredSchema& schema) {
  ARROW_ASSIGN_OR_RAISE(const auto columns, MakeArrowSchema(schema));
  auto types = arrow::csv::ConvertOptions::Defaults();
  for (const auto& field : columns->fields()) {
    types.column_types[field->name()] = TypeInFile(field->type());
  }
  auto opened = [&]() -> arrow::Result<std::shared_ptr<arrow::csv::StreamingReader>> {
    ARROW_ASSIGN_OR_RAISE(auto input, arrow::io::ReadableFile::Open(file));
    return arrow::csv::StreamingReader::Make(arrow::io::default_io_context(), std::move(input),
                                             arrow::csv::ReadOptions::Defaults(),
                                             arrow::csv::ParseOptions::Defaults(), types);
  }();
  if (!opened.ok()) return NotReadable(file, opened.status());
  return std::make_shared<CsvRows>(file, *std::move(opened));
}

arrow::Result<std::int64_t> WriteRows(arrow::RecordBatchReader* rows, const std::string& file) {
  const std::filesystem::path target(file);
  std::filesystem::path hidden(".");
  hidden += target.filename();
  hidden += ".partial";
  const std::filesystem::path partial = target.parent_path() / hidden;
  const auto schema = SchemaInFile(*rows->schema());

  std::error_code ignored;
  auto written = [&]() -> arrow::Result<std::int64_t> {
    ARROW_ASSIGN_OR_RAISE(const auto writer, OpenWriter(target, partial, schema));
    return WriteAll(rows, writer.get(), schema);
  }();
  if (!written.ok()) {
    std::filesystem::remove(partial, ignored);
    const arrow::Status& why = written.status();
    if (!why.IsIOError() || GetErrorDetails(why) != nullptr) return why;
    return NotWritable(target, WhyOf(why));
  }
  std::error_code failed;
  std::filesystem::rename(partial, target, failed);
  if (failed) {
    std::filesystem::remove(partial, ignored);
    return NotWritable(target, failed.message());
  }
  return written;
}

}  // namespace tickmesh::tool
