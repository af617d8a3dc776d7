#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace tickmesh::internal {

/// Lets a table of strings be asked with any text, without a copy of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

/// A hash table of at most so many entries: the one that came first goes first.
template <typename Key, typename Value>
class BoundedMap {
 public:
  explicit BoundedMap(std::size_t most) : most_(most) {}

  /// Null when there is none.
  template <typename Asked>
  const Value* Find(const Asked& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
  }

  void Put(const Key& key, Value value) {
    if (!entries_.insert_or_assign(key, std::move(value)).second) return;
    order_.push_back(key);
    while (entries_.size() > most_) {
      entries_.erase(order_.front());
      order_.pop_front();
    }
  }

  void Clear() {
    entries_.clear();
    order_.clear();
  }

  std::size_t size() const { return entries_.size(); }

  /// Keys in the order they came.
  const std::deque<Key>& keys() const { return order_; }

  /// Does nothing when there is none.
  void Erase(const Key& key) {
    if (entries_.erase(key) != 0) std::erase(order_, key);
  }

 private:
  using Hash = std::conditional_t<std::is_same_v<Key, std::string>, TextHash, std::hash<Key>>;

  const std::size_t most_;
  std::unordered_map<Key, Value, Hash, std::equal_to<>> entries_;
  std::deque<Key> order_;
};

}  // namespace tickmesh::internal
