#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "registry/messages.h"
#include "tickmesh/registered_schema.h"

/// \file
/// Versions, events and responses as a registry would send them.

namespace tickmesh::internal {

inline constexpr std::int64_t kHourNs = 3'600'000'000'000;

/// A live version of `ticks.trades`.
inline RegisteredSchema Trades(std::int32_t version, std::int64_t effective_from_ns = 0,
                               std::int64_t registered_at_ns = 0) {
  return {.subject = "ticks.trades",
          .version = version,
          .schema_id = version,
          .fingerprint = "fingerprint of " + std::to_string(version),
          .text = "{}",
          .state = VersionState::kActive,
          .registered_at_ns = registered_at_ns,
          .effective_from_ns = effective_from_ns,
          .revision = version};
}

inline SchemaPointer Held(RegisteredSchema schema) {
  return std::make_shared<const RegisteredSchema>(std::move(schema));
}

/// The registration of a version.
inline ChangeEvent Registered(std::int32_t version, std::int64_t revision) {
  return {.revision = revision,
          .kind = ChangeKind::kVersionRegistered,
          .subject = "ticks.trades",
          .schema = Held(Trades(version))};
}

/// A response that brings `count` policy changes of one revision.
inline wire::WatchResponse Events(std::int64_t revision, std::int64_t previous, int count = 1,
                                  bool fragment = false) {
  wire::WatchResponse response;
  response.set_kind(wire::WatchResponse::KIND_EVENTS);
  response.set_revision(revision);
  response.set_prev_revision(previous);
  response.set_fragment(fragment);
  if (!fragment) response.set_token("e:" + std::to_string(revision));
  for (int sequence = 0; sequence < count; ++sequence) {
    auto* event = response.add_events();
    event->set_revision(revision);
    event->set_sequence(sequence);
    event->set_kind(wire::CHANGE_KIND_POLICY_CHANGED);
  }
  return response;
}

/// A response without events.
inline wire::WatchResponse Mark(wire::WatchResponse::Kind kind, std::int64_t revision,
                                std::int64_t previous) {
  wire::WatchResponse response;
  response.set_kind(kind);
  response.set_revision(revision);
  response.set_prev_revision(previous);
  response.set_token("e:" + std::to_string(revision));
  return response;
}

}  // namespace tickmesh::internal
