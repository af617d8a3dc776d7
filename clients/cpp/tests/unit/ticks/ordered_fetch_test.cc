#include "ticks/ordered_fetch.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arrow/api.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kBytesOfABatch = 800;

/// A hundred rows that say which endpoint and which batch they are.
std::shared_ptr<arrow::RecordBatch> Batch(std::size_t endpoint, int number) {
  auto values = arrow::AllocateBuffer(kBytesOfABatch).ValueOrDie();
  auto* rows = reinterpret_cast<std::int64_t*>(values->mutable_data());
  std::fill_n(rows, 100, static_cast<std::int64_t>(endpoint) * 1'000 + number);
  const auto array = std::make_shared<arrow::Int64Array>(100, std::move(values));
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("n", arrow::int64())}), 100, {array});
}

std::int64_t NumberOf(const arrow::RecordBatch& batch) {
  return static_cast<const arrow::Int64Array&>(*batch.column(0)).Value(0);
}

/// What all sources of a test share, and what it sees of them.
struct Stage {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> handed_out = std::vector<int>(16, 0);
  std::set<std::size_t> held_back;  // endpoints that give nothing until released or cancelled
  int fails_in = -1;
  std::atomic<int> running = 0;
  std::atomic<int> most_running = 0;
  std::atomic<int> cancelled = 0;

  void Release(std::size_t endpoint) {
    const std::lock_guard lock(mutex);
    held_back.erase(endpoint);
    changed.notify_all();
  }

  /// Wait until so many batches have left an endpoint.
  void Await(std::size_t endpoint, int batches) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return handed_out[endpoint] >= batches; });
  }
};

/// An endpoint of `batches` batches.
class StagedSource final : public BatchSource {
 public:
  StagedSource(std::shared_ptr<Stage> stage, std::size_t endpoint, int batches)
      : stage_(std::move(stage)), endpoint_(endpoint), batches_(batches) {
    const int running = ++stage_->running;
    int most = stage_->most_running;
    while (running > most && !stage_->most_running.compare_exchange_weak(most, running)) {
    }
  }
  ~StagedSource() override { --stage_->running; }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    std::unique_lock lock(stage_->mutex);
    stage_->changed.wait(lock,
                         [&] { return cancelled_ || !stage_->held_back.contains(endpoint_); });
    if (cancelled_) return arrow::Status::Cancelled("cancelled");
    if (stage_->fails_in == static_cast<int>(endpoint_)) {
      return MakeError("failed", {.code = ErrorCode::kDataLoss, .reason = "STAGED"});
    }
    if (next_ == batches_) return std::shared_ptr<arrow::RecordBatch>();
    ++stage_->handed_out[endpoint_];
    stage_->changed.notify_all();
    return Batch(endpoint_, next_++);
  }

  void Cancel() override {
    const std::lock_guard lock(stage_->mutex);
    if (!cancelled_) ++stage_->cancelled;
    cancelled_ = true;
    stage_->changed.notify_all();
  }

 private:
  const std::shared_ptr<Stage> stage_;
  const std::size_t endpoint_;
  const int batches_;
  int next_ = 0;
  bool cancelled_ = false;
};

class OrderedFetchTest : public ::testing::Test {
 protected:
  std::unique_ptr<OrderedFetch> Fetch(std::size_t endpoints, const FetchBounds& bounds,
                                      int batches = 10) {
    return std::make_unique<OrderedFetch>(
        endpoints, bounds, "store:1", [stage = stage_, batches](std::size_t endpoint, std::size_t) {
          return std::make_shared<StagedSource>(stage, endpoint, batches);
        });
  }

  /// The numbers of all batches, in the order in which they come.
  std::vector<std::int64_t> Drain(OrderedFetch* fetch) {
    std::vector<std::int64_t> numbers;
    while (true) {
      const auto batch = fetch->Next();
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      if (!batch.ok() || *batch == nullptr) return numbers;
      numbers.push_back(NumberOf(**batch));
    }
  }

  /// The numbers of all that is left.
  std::vector<std::int64_t> Rest(OrderedFetch* fetch) {
    std::vector<std::int64_t> numbers;
    for (const auto& batch : fetch->Rest().ValueOrDie()) numbers.push_back(NumberOf(*batch));
    return numbers;
  }

  static std::vector<std::int64_t> InOrder(std::int64_t endpoints, std::int64_t batches) {
    std::vector<std::int64_t> numbers;
    for (std::int64_t endpoint = 0; endpoint < endpoints; ++endpoint) {
      for (std::int64_t batch = 0; batch < batches; ++batch) {
        numbers.push_back(endpoint * 1'000 + batch);
      }
    }
    return numbers;
  }

  std::shared_ptr<Stage> stage_ = std::make_shared<Stage>();
};

TEST_F(OrderedFetchTest, BatchesComeInTheOrderOfTheirEndpointsHoweverManyAreFetchedAtATime) {
  for (const std::size_t side_by_side : {1, 2, 3, 16}) {
    for (const std::int64_t ahead : {std::int64_t{0}, kBytesOfABatch, std::int64_t{1} << 40}) {
      const auto fetch = Fetch(7, {.side_by_side = side_by_side, .bytes_ahead = ahead});
      EXPECT_EQ(Drain(fetch.get()), InOrder(7, 10));
    }
  }
  EXPECT_LE(stage_->most_running, 16);
}

TEST_F(OrderedFetchTest, NoEndpointsAreNoBatches) {
  EXPECT_TRUE(Drain(Fetch(0, {.side_by_side = 2}).get()).empty());
  EXPECT_TRUE(Rest(Fetch(0, {.side_by_side = 2}).get()).empty());
}

TEST_F(OrderedFetchTest, TheRestComesAtOnceWhateverTheBound) {
  for (const std::size_t side_by_side : {1, 2, 16}) {
    for (const std::size_t taken : {0, 1, 10, 34, 70}) {
      const auto fetch =
          Fetch(7, {.side_by_side = side_by_side, .bytes_ahead = 3 * kBytesOfABatch});
      std::vector<std::int64_t> numbers;
      while (numbers.size() < taken) numbers.push_back(NumberOf(**fetch->Next()));
      const auto rest = Rest(fetch.get());
      numbers.insert(numbers.end(), rest.begin(), rest.end());
      EXPECT_EQ(numbers, InOrder(7, 10));
      EXPECT_TRUE(Rest(fetch.get()).empty());
      EXPECT_EQ(fetch->Next().ValueOrDie(), nullptr);
    }
  }
}

TEST_F(OrderedFetchTest, EndpointsBehindASlowOneAreFetchedMeanwhile) {
  stage_->held_back = {0};
  const auto fetch = Fetch(3, {.side_by_side = 2, .bytes_ahead = std::int64_t{1} << 40});
  // The second connection takes the second and the third endpoint.
  stage_->Await(2, 10);
  stage_->Release(0);
  EXPECT_EQ(Drain(fetch.get()), InOrder(3, 10));
  EXPECT_LE(stage_->most_running, 2);
}

TEST_F(OrderedFetchTest, T11NoMoreIsFetchedAheadThanTheBound) {
  stage_->held_back = {0};
  const auto fetch = Fetch(4, {.side_by_side = 4, .bytes_ahead = 3 * kBytesOfABatch}, 100);
  const auto fetched = [&] {
    return stage_->handed_out[1] + stage_->handed_out[2] + stage_->handed_out[3];
  };
  {
    std::unique_lock lock(stage_->mutex);
    stage_->changed.wait(lock, [&] { return fetched() >= 3; });
  }
  std::this_thread::sleep_for(50ms);  // time to do what must not be done
  {
    const std::lock_guard lock(stage_->mutex);
    // Beyond the bound each thread may have one batch in its hands.
    EXPECT_LE(fetched(), 3 + 3);
  }
  stage_->Release(0);
  EXPECT_EQ(Drain(fetch.get()), InOrder(4, 100));
}

TEST_F(OrderedFetchTest, OneFailureEndsTheWholeFetch) {
  stage_->fails_in = 2;
  stage_->held_back = {0};
  const auto fetch = Fetch(3, {.side_by_side = 3, .bytes_ahead = std::int64_t{1} << 40});
  EXPECT_EQ(ReasonOf(fetch->Next().status()), "STAGED");
  EXPECT_EQ(ReasonOf(fetch->Next().status()), "STAGED");
  EXPECT_EQ(ReasonOf(fetch->Rest().status()), "STAGED");
  EXPECT_GE(stage_->cancelled, 1);
}

TEST_F(OrderedFetchTest, SilenceIsADeadline) {
  stage_->held_back = {0};
  const auto quiet = [&] {
    return Fetch(1, {.side_by_side = 1, .bytes_ahead = 0, .patience = 50ms});
  };
  for (const auto& ended : {quiet()->Next().status(), quiet()->Rest().status()}) {
    ASSERT_NE(GetErrorDetails(ended), nullptr);
    EXPECT_EQ(GetErrorDetails(ended)->code, ErrorCode::kDeadlineExceeded);
    EXPECT_NE(ended.message().find("store:1"), std::string::npos);
  }
}

TEST_F(OrderedFetchTest, ItsEndWaitsForNothingThatIsFetched) {
  for (const std::set<std::size_t>& held_back : {std::set<std::size_t>{0, 1}, {}}) {
    stage_->held_back = held_back;
    auto fetch = Fetch(8, {.side_by_side = 2, .bytes_ahead = kBytesOfABatch}, 1'000);
    fetch.reset();
    EXPECT_EQ(stage_->running, 0);
  }
}

TEST_F(OrderedFetchTest, ItIsClosedForItsConsumer) {
  const auto fetch = Fetch(2, {.side_by_side = 2, .bytes_ahead = kBytesOfABatch});
  ASSERT_TRUE(fetch->Next().ok());
  fetch->Close();
  fetch->Close();
  EXPECT_EQ(ReasonOf(fetch->Next().status()), "CLOSED");
}

}  // namespace
}  // namespace tickmesh::internal
