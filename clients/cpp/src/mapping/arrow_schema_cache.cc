#include <deque>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "arrow/type.h"
#include "tickmesh/arrow_schema.h"

namespace tickmesh {

class ArrowSchemaCache::Impl {
 public:
  Impl(ArrowSchemaOptions options, std::size_t capacity, std::size_t max_bytes)
      : options_(std::move(options)), capacity_(capacity), max_bytes_(max_bytes) {}

  arrow::Result<std::shared_ptr<arrow::Schema>> Get(std::string_view json) {
    {
      std::shared_lock lock(mutex_);
      if (const auto found = schemas_.find(json); found != schemas_.end()) return found->second;
    }
    // Threads that miss together each map the text: the outcome is the same.
    ARROW_ASSIGN_OR_RAISE(auto schema, MakeArrowSchema(json, options_));
    if (json.size() > max_bytes_ || capacity_ == 0) return schema;
    std::unique_lock lock(mutex_);
    if (const auto found = schemas_.find(json); found != schemas_.end()) return found->second;
    while (texts_.size() >= capacity_ || bytes_ + json.size() > max_bytes_) DropOldest();
    texts_.emplace_back(json);
    bytes_ += json.size();
    schemas_.emplace(texts_.back(), schema);
    return schema;
  }

 private:
  void DropOldest() {
    bytes_ -= texts_.front().size();
    schemas_.erase(texts_.front());
    texts_.pop_front();
  }

  const ArrowSchemaOptions options_;
  const std::size_t capacity_;
  const std::size_t max_bytes_;
  std::shared_mutex mutex_;
  /// The texts kept, oldest first; they stay where they are while the ends change.
  std::deque<std::string> texts_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string_view, std::shared_ptr<arrow::Schema>> schemas_;
};

ArrowSchemaCache::ArrowSchemaCache(ArrowSchemaOptions options, std::size_t capacity,
                                   std::size_t max_bytes)
    : impl_(std::make_unique<Impl>(std::move(options), capacity, max_bytes)) {}

ArrowSchemaCache::~ArrowSchemaCache() = default;

arrow::Result<std::shared_ptr<arrow::Schema>> ArrowSchemaCache::Get(std::string_view json) {
  return impl_->Get(json);
}

}  // namespace tickmesh
