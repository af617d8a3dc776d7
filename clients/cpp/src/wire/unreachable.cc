#include "wire/unreachable.h"

#include <algorithm>
#include <cctype>

namespace tickmesh::internal {

namespace {

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return lowered;
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view WrongHandshake(std::string_view said) {
  if (Contains(said, "certificate_verify_failed") || Contains(said, "certificate verify failed") ||
      Contains(said, "hostname verification")) {
    return "its certificate is not one that tls.root_certificates vouches for under this name";
  }
  if (Contains(said, "wrong_version_number") || Contains(said, "wrong version number")) {
    return "it serves plain text, but the options ask for TLS";
  }
  if (Contains(said, "failed to connect") && Contains(said, "socket closed")) {
    return "it takes the connection and closes it. A server with TLS does that to plain text and "
           "to "
           "clients without a certificate it accepts: set tls.root_certificates and, for mutual "
           "TLS, tls.certificate_chain and tls.private_key";
  }
  return {};
}

/// What went wrong: gRPC puts every layer a failed connection passed before that.
std::string_view Brief(std::string_view text) {
  if (!Contains(text, "failed to connect to all addresses")) return text;
  const auto last = text.rfind(": ");
  return last == std::string_view::npos ? text : text.substr(last + 2);
}

}  // namespace

Unreachable WhyUnreachable(std::string_view text, std::string_view address) {
  const std::string peer(address.empty() ? "the server" : address);
  if (const auto wrong = WrongHandshake(Lowered(text)); !wrong.empty()) {
    return {"TLS_HANDSHAKE_FAILED", "no connection to " + peer + ": " + std::string(wrong)};
  }
  const std::string_view brief = Brief(text);
  return {"UNREACHABLE", "no answer from " + peer + ": " +
                             (brief.empty() ? "the connection is closed" : std::string(brief))};
}

}  // namespace tickmesh::internal
