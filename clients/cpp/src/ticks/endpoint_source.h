#pragma once

#include <cstddef>
#include <memory>

#include "arrow/flight/client.h"
#include "arrow/flight/types.h"
#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "ticks/ordered_fetch.h"
#include "ticks/tick_connection.h"
#include "wire/call_handle.h"

namespace tickmesh::internal {

/// The batches of one endpoint of a read, by `do_get`.
class EndpointSource final : public BatchSource {
 public:
  /// \param place which of the connection's Flight clients to use.
  /// \param schema what the batches have to be like.
  EndpointSource(std::shared_ptr<TickConnection> connection, std::size_t place,
                 arrow::flight::Ticket ticket, std::shared_ptr<arrow::Schema> schema);
  ~EndpointSource() override;

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() override;
  void Cancel() override;

 private:
  arrow::Status Open();

  const std::shared_ptr<TickConnection> connection_;
  const std::size_t place_;
  const arrow::flight::Ticket ticket_;
  const std::shared_ptr<arrow::Schema> schema_;
  const std::shared_ptr<CallHandle> call_ = std::make_shared<CallHandle>();
  std::shared_ptr<arrow::flight::FlightClient> client_;
  std::unique_ptr<arrow::flight::FlightStreamReader> reader_;
};

}  // namespace tickmesh::internal
