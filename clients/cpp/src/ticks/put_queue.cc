#include "ticks/put_queue.h"

#include <algorithm>
#include <utility>

#include "arrow/record_batch.h"
#include "ticks/put_batches.h"

namespace tickmesh::internal {

PutQueue::PutQueue(std::int64_t last_sequence, std::int64_t max_bytes)
    : first_sequence_(last_sequence),
      max_bytes_(max_bytes),
      last_sequence_(last_sequence),
      next_sequence_(last_sequence + 1),
      acknowledged_sequence_(last_sequence) {}

bool PutQueue::HasRoomFor(std::int64_t bytes) const {
  return held_bytes_ == 0 || held_bytes_ + bytes <= max_bytes_;
}

void PutQueue::Add(PutPart part) {
  held_bytes_ += part.bytes;
  rows_added_ += part.batch->num_rows();
  waiting_.push_back(std::move(part));
}

bool PutQueue::HasUnsent() const { return next_sequence_ <= last_sequence_ || !waiting_.empty(); }

std::shared_ptr<PutMessage> PutQueue::TakeNext() {
  if (next_sequence_ <= last_sequence_) {
    const auto place = next_sequence_ - unacknowledged_.front()->sequence;
    ++next_sequence_;
    return unacknowledged_[static_cast<std::size_t>(place)];
  }
  if (waiting_.empty()) return nullptr;
  auto message = std::make_shared<PutMessage>();
  message->since = waiting_.front().since;
  do {
    PutPart& part = waiting_.front();
    message->rows += part.batch->num_rows();
    message->bytes += part.bytes;
    message->parts.push_back(std::move(part));
    waiting_.pop_front();
  } while (!waiting_.empty() &&
           message->rows + waiting_.front().batch->num_rows() <= kMaxMessageRows &&
           message->bytes + waiting_.front().bytes <= kMaxMessageBytes);
  message->sequence = ++last_sequence_;
  next_sequence_ = last_sequence_ + 1;
  unacknowledged_.push_back(message);
  return message;
}

void PutQueue::KeepFirstPart(const std::shared_ptr<PutMessage>& message) {
  while (message->parts.size() > 1) {
    PutPart& part = message->parts.back();
    message->rows -= part.batch->num_rows();
    message->bytes -= part.bytes;
    waiting_.push_front(std::move(part));
    message->parts.pop_back();
  }
}

void PutQueue::SendAgain() { next_sequence_ = acknowledged_sequence_ + 1; }

bool PutQueue::Acknowledge(std::int64_t sequence) {
  const std::int64_t before = acknowledged_sequence_;
  while (!unacknowledged_.empty() && unacknowledged_.front()->sequence <= sequence) {
    const PutMessage& message = *unacknowledged_.front();
    held_bytes_ -= message.bytes;
    rows_acknowledged_ += message.rows;
    acknowledged_sequence_ = message.sequence;
    unacknowledged_.pop_front();
  }
  next_sequence_ = std::max(next_sequence_, acknowledged_sequence_ + 1);
  return acknowledged_sequence_ != before;
}

std::chrono::steady_clock::time_point PutQueue::OldestSince(
    std::chrono::steady_clock::time_point now) const {
  if (!unacknowledged_.empty()) return unacknowledged_.front()->since;
  return waiting_.empty() ? now : waiting_.front().since;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Joined(const std::vector<PutPart>& parts) {
  if (parts.size() == 1) return parts.front().batch;
  arrow::RecordBatchVector batches;
  batches.reserve(parts.size());
  for (const PutPart& part : parts) batches.push_back(part.batch);
  return arrow::ConcatenateRecordBatches(batches);
}

}  // namespace tickmesh::internal
