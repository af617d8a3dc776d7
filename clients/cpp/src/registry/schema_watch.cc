#include "tickmesh/schema_watch.h"

#include <utility>

#include "registry/schema_watch_impl.h"

namespace tickmesh {

SchemaWatch::Impl::Impl(const ConnectionOptions& connection, const WatchOptions& options)
    : connection_(std::make_shared<internal::RegistryConnection>(connection)),
      cache_({}),
      reader_(connection_, &cache_),
      watch_(connection_,
             internal::WatchCursor(internal::WatchRequestOf(options),
                                   [this](const internal::wire::SchemaVersion& message) {
                                     return reader_.Read(message, connection_->NewDeadline());
                                   }),
             options.on_interruption) {}

void SchemaWatch::Impl::Close() {
  watch_.Close();
  connection_->Close();
}

SchemaWatch::SchemaWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SchemaWatch::~SchemaWatch() { Close(); }

arrow::Result<std::optional<WatchMessage>> SchemaWatch::Next(
    std::optional<std::chrono::milliseconds> timeout) {
  if (!timeout) return impl_->watch().Next(std::nullopt);
  return impl_->watch().Next(internal::DeadlineAfter(*timeout));
}

std::int64_t SchemaWatch::interruptions() const { return impl_->watch().interruptions(); }

void SchemaWatch::Close() { impl_->Close(); }

}  // namespace tickmesh
