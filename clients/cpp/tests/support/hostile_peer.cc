#include "tests/support/hostile_peer.h"

#include <stdexcept>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tickmesh::testing {

namespace {

void Send(int connection, std::string_view bytes) {
  // A peer that is gone already is no concern of this one.
  (void)!::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void Receive(int connection) {
  char buffer[4096];
  (void)!::recv(connection, buffer, sizeof(buffer), 0);
}

}  // namespace

HostilePeer::HostilePeer(Manner manner) : manner_(manner) {
  listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(name);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&name), size) != 0 ||
      ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  port_ = ntohs(name.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

HostilePeer::~HostilePeer() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::string HostilePeer::address() const { return "127.0.0.1:" + std::to_string(port_); }

void HostilePeer::Serve() {
  std::vector<int> kept;
  while (true) {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) break;
    switch (manner_) {
      case Manner::kSilent:
        kept.push_back(connection);
        continue;
      case Manner::kGarbage:
        Send(connection, std::string(1 << 12, '\xa5'));
        Receive(connection);
        break;
      case Manner::kHangsUp:
        break;
      case Manner::kHangsUpAfterSettings:
        // An empty SETTINGS frame.
        Send(connection, std::string_view("\0\0\0\x04\0\0\0\0\0", 9));
        Receive(connection);
        break;
    }
    ::close(connection);
  }
  for (const int connection : kept) ::close(connection);
}

}  // namespace tickmesh::testing
