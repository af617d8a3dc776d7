// What lookups and mappings cost inside a program, from several threads at once.
//
// `schemas_bench PREFIX SUBJECTS VERSION`: the subjects PREFIX0, PREFIX1, … hold VERSION; where the
// registry is stands in TICKMESH_CLIENT__REGISTRY. Each line on standard input names a measure and
// is answered by its median in nanoseconds a call, or, for `text`, by the schema's text mapped
// anew.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "arrow/type.h"
#include "tickmesh/api.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kThreads = 4;
constexpr int kSpans = 400;
constexpr int kCallsASpan = 500;
constexpr int kTextsASpan = 10;

/// One call; `place` grows with each.
using Call = std::function<arrow::Status(std::size_t place)>;

/// A failure here is no result.
template <typename Value>
Value Must(arrow::Result<Value> result) {
  if (result.ok()) return std::move(result).ValueUnsafe();
  std::cerr << result.status() << std::endl;
  std::exit(1);
}

/// The nanoseconds a call takes in each of many short spans.
std::vector<double> Spans(const Call& call, int calls, std::size_t first) {
  std::vector<double> spans;
  std::size_t place = first;
  for (int span = 0; span < kSpans; ++span) {
    const auto started = Clock::now();
    for (int each = 0; each < calls; ++each) {
      if (!call(place++).ok()) std::exit(1);
    }
    const std::chrono::duration<double, std::nano> took = Clock::now() - started;
    spans.push_back(took.count() / calls);
  }
  return spans;
}

/// The median of all spans of several threads that call at the same time.
double MedianNanoseconds(const Call& call, int threads, int calls) {
  std::vector<std::vector<double>> found(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < found.size(); ++thread) {
    running.emplace_back([&, thread] { found[thread] = Spans(call, calls, thread * 7); });
  }
  for (std::thread& each : running) each.join();
  std::vector<double> spans;
  for (const auto& each : found) spans.insert(spans.end(), each.begin(), each.end());
  const auto middle = spans.begin() + static_cast<std::ptrdiff_t>(spans.size() / 2);
  std::nth_element(spans.begin(), middle, spans.end());
  return *middle;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: schemas_bench PREFIX SUBJECTS VERSION" << std::endl;
    return 2;
  }
  const std::string prefix = arguments[1];
  const int version = std::atoi(arguments[3]);
  std::vector<std::string> subjects;
  for (int each = 0; each < std::atoi(arguments[2]); ++each) {
    subjects.push_back(prefix + std::to_string(each));
  }
  const auto options = Must(tickmesh::ConnectionOptions::FromEnvironment());
  const auto client = Must(tickmesh::SchemaRegistryClient::Connect(options));
  // Held before anything is measured.
  std::vector<std::shared_ptr<const tickmesh::RegisteredSchema>> held;
  for (const std::string& subject : subjects) held.push_back(Must(client->Get(subject, version)));
  tickmesh::ArrowSchemaCache cache;

  const auto subject = [&](std::size_t place) -> const std::string& {
    return subjects[place % subjects.size()];
  };
  const std::map<std::string, Call> calls = {
      {"get", [&](std::size_t place) { return client->Get(subject(place), version).status(); }},
      {"latest", [&](std::size_t place) { return client->Latest(subject(place)).status(); }},
      {"in_force", [&](std::size_t place) { return client->InForce(subject(place)).status(); }},
      {"by_id",
       [&](std::size_t place) {
         return client->ById(held[place % held.size()]->schema_id).status();
       }},
      {"mapping_of_version",
       [&](std::size_t place) {
         return tickmesh::MakeArrowSchema(*held[place % held.size()]).status();
       }},
      {"mapping_of_kept_text",
       [&](std::size_t place) { return cache.Get(held[place % held.size()]->text).status(); }},
  };
  std::string measure;
  while (std::getline(std::cin, measure)) {
    if (measure == "text") {
      const Call map = [&](std::size_t place) {
        return tickmesh::MakeArrowSchema(held[place % held.size()]->text).status();
      };
      std::cout << MedianNanoseconds(map, 1, kTextsASpan) << std::endl;
    } else {
      std::cout << MedianNanoseconds(calls.at(measure), kThreads, kCallsASpan) << std::endl;
    }
  }
  return 0;
}
