#include "tickmesh/tick_client.h"

#include <memory>
#include <string>
#include <utility>

#include <grpcpp/client_context.h>

#include "arrow/table.h"
#include "ticks/put_command.h"
#include "ticks/tick_client_impl.h"
#include "ticks/tick_connection.h"
#include "ticks/tick_writer_impl.h"
#include "ticks/upload.h"
#include "wire/grpc_channel.h"
#include "wire/request_id.h"
#include "wire/status_conversion.h"

namespace tickmesh {

namespace pb = tickmesh::api::tickstore::v1;

arrow::Result<std::unique_ptr<TickClient>> TickClient::Connect(const ConnectionOptions& options) {
  ARROW_RETURN_NOT_OK(options.Validate());
  return std::make_unique<TickClient>(
      std::make_unique<Impl>(std::make_shared<internal::TickConnection>(options)));
}

TickClient::TickClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TickClient::~TickClient() = default;

arrow::Result<PutReceipt> TickClient::Put(const std::string& subject,
                                          arrow::RecordBatchReader* data,
                                          const PutOptions& options) {
  return internal::Upload(impl_->connection.get(), subject, data, options);
}

arrow::Result<PutReceipt> TickClient::Put(const std::string& subject, const arrow::Table& table,
                                          const PutOptions& options) {
  arrow::TableBatchReader data(table);
  return Put(subject, &data, options);
}

arrow::Result<std::unique_ptr<TickWriter>> TickClient::OpenWriter(const WriterOptions& options) {
  ARROW_RETURN_NOT_OK(internal::Check(options));
  ARROW_ASSIGN_OR_RAISE(auto producer,
                        OpenProducer(options.dataset, options.producer_id.empty()
                                                          ? "writer-" + internal::NewRequestId()
                                                          : options.producer_id));
  ARROW_ASSIGN_OR_RAISE(auto writer,
                        TickWriter::Impl::Start(impl_->connection, options, std::move(producer)));
  return std::make_unique<TickWriter>(std::move(writer));
}

arrow::Result<Producer> TickClient::OpenProducer(const std::string& dataset,
                                                 const std::string& producer_id) {
  internal::TickConnection& connection = *impl_->connection;
  grpc::ClientContext context;
  internal::PrepareCall(&context, connection.options().call_timeout);
  pb::OpenProducerRequest request;
  request.set_dataset(dataset);
  request.set_producer_id(producer_id);
  pb::OpenProducerResponse answer;
  ARROW_RETURN_NOT_OK(internal::FromGrpc(
      connection.stub()->OpenProducer(&context, request, &answer), connection.options().tickstore));
  return Producer{.producer_id = producer_id,
                  .epoch = answer.producer().producer_epoch(),
                  .last_sequence = answer.producer().last_sequence()};
}

}  // namespace tickmesh
