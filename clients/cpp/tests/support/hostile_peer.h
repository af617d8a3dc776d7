#pragma once

#include <string>
#include <thread>

namespace tickmesh::testing {

/// A listener on loopback that is no server of ours.
class HostilePeer {
 public:
  enum class Manner {
    /// Accepts and says nothing.
    kSilent,
    /// Answers with bytes that are no HTTP/2.
    kGarbage,
    /// Accepts and closes.
    kHangsUp,
    /// Begins HTTP/2, takes what comes for a moment, closes.
    kHangsUpAfterSettings,
  };

  explicit HostilePeer(Manner manner);
  HostilePeer(const HostilePeer&) = delete;
  HostilePeer& operator=(const HostilePeer&) = delete;
  ~HostilePeer();

  /// `127.0.0.1:<port>`.
  std::string address() const;

 private:
  void Serve();

  const Manner manner_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace tickmesh::testing
