#include <array>
#include <string_view>

#include "tickmesh/registered_schema.h"
#include "tickmesh/schema_change.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh {

namespace {

template <std::size_t Size, typename Value>
std::string_view NameOf(const std::array<std::string_view, Size>& names, Value value) {
  const auto number = static_cast<std::size_t>(value);
  return number < Size ? names[number] : names[0];
}

constexpr std::array<std::string_view, 5> kStates = {"unknown", "active", "deprecated", "deleted",
                                                     "removed"};
constexpr std::array<std::string_view, 4> kRegistrationActions = {
    "unknown", "first", "compatible_change", "breaking_change"};
constexpr std::array<std::string_view, 4> kVerdicts = {"unknown", "compatible", "incompatible",
                                                       "undecided"};
constexpr std::array<std::string_view, 7> kChangeActions = {
    "first",      "compatible_change", "breaking_change", "rejected",
    "deprecated", "deleted",           "restored"};
constexpr std::array<std::string_view, 7> kKinds = {
    "unknown",         "version_registered", "registration_rejected", "version_deprecated",
    "version_deleted", "version_restored",   "policy_changed"};

}  // namespace

std::string_view VersionStateName(VersionState state) { return NameOf(kStates, state); }

std::string_view RegistrationActionName(RegistrationAction action) {
  return NameOf(kRegistrationActions, action);
}

std::string_view VerdictName(Verdict verdict) { return NameOf(kVerdicts, verdict); }

std::string_view ChangeActionName(ChangeAction action) { return NameOf(kChangeActions, action); }

std::string_view ChangeKindName(ChangeKind kind) { return NameOf(kKinds, kind); }

}  // namespace tickmesh
