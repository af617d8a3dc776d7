#include "mapping/roles.h"

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow/type_traits.h"
#include "mapping/field_metadata.h"
#include "mapping/schema_error.h"

namespace tickmesh::internal {

namespace {

constexpr const char* kKeyword = "x-tick-role";

bool IsInteger(const arrow::DataType& type) { return arrow::is_integer(type.id()); }

bool IsNumber(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || arrow::is_floating(type.id()) ||
         arrow::is_decimal(type.id());
}

bool IsTime(const arrow::DataType& type) {
  return type.id() == arrow::Type::TIMESTAMP || IsInteger(type);
}

bool IsText(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) {
    return IsText(*static_cast<const arrow::DictionaryType&>(type).value_type());
  }
  return arrow::is_string(type.id());
}

bool IsSide(const arrow::DataType& type) {
  return IsText(type) || IsInteger(type) || type.id() == arrow::Type::BOOL;
}

/// What plays a role: the usual name, and the types that can.
struct Role {
  std::string_view name;
  std::string_view usual_name;
  const char* wanted;
  bool (*fits)(const arrow::DataType&);
};

constexpr std::array<Role, 6> kRoles = {{
    {"event_time", "ts", "a timestamp or an integer", IsTime},
    {"symbol", "symbol", "text", IsText},
    {"price", "price", "a number", IsNumber},
    {"size", "size", "a number", IsNumber},
    {"side", "side", "text, an integer or a boolean", IsSide},
    {"sequence", "seq", "an integer", IsInteger},
}};

bool Fits(const Role& role, const arrow::Field& field) {
  return !HoldsJson(field) && role.fits(*field.type());
}

/// A role stated at a field, and where.
struct StatedRole {
  const JsonValue* role;
  std::string pointer;
};

/// The roles stated at a field, each once.
arrow::Result<std::vector<StatedRole>> StatedAt(const Location& root, const std::string& name) {
  std::vector<StatedRole> stated;
  std::set<std::string> seen;
  ARROW_ASSIGN_OR_RAISE(const Location place, root.Child(name));
  for (const Part& part : place.parts()) {
    const JsonValue* role = part.source().Find(kKeyword);
    if (role == nullptr || !seen.insert(role->Canonical()).second) continue;
    const JsonPath* own = root.facts().document().index().PathOf(part.source());
    stated.push_back(
        {role, PointerOf(Below(own == nullptr ? root.PathTo(name) : *own, {kKeyword}))});
  }
  return stated;
}

/// Which field plays each role; places in the list of fields, in the order of the text.
using Playing = std::map<std::string_view, std::size_t>;

arrow::Result<const Role*> CheckStated(const StatedRole& stated, const arrow::FieldVector& fields,
                                       std::size_t place, const Playing& playing) {
  const arrow::Field& field = *fields[place];
  const Role* role = nullptr;
  for (const Role& known : kRoles) {
    if (stated.role->is_string() && stated.role->text() == known.name) role = &known;
  }
  if (role == nullptr) {
    return SchemaError("UNKNOWN_ROLE",
                       Quoted(stated.role->Canonical()) +
                           " is no role; roles are event_time, symbol, price, size, side, sequence",
                       stated.pointer);
  }
  if (const auto other = playing.find(role->name); other != playing.end()) {
    return SchemaError("DUPLICATE_ROLE",
                       "both " + Quoted(fields[other->second]->name()) + " and " +
                           Quoted(field.name()) + " claim the role " + std::string(role->name) +
                           "; choose one",
                       stated.pointer);
  }
  for (const auto& [name, played_by] : playing) {
    if (played_by != place) continue;
    return SchemaError("DUPLICATE_ROLE", Quoted(field.name()) + " claims two roles; choose one",
                       stated.pointer);
  }
  if (!Fits(*role, field)) {
    return SchemaError("INVALID_ROLE",
                       "the role " + std::string(role->name) + " is played by " + role->wanted +
                           "; " + Quoted(field.name()) + " is " +
                           (HoldsJson(field) ? "JSON text" : field.type()->ToString()),
                       stated.pointer);
  }
  return role;
}

}  // namespace

arrow::Result<arrow::FieldVector> WithRoles(const Location& root, arrow::FieldVector fields) {
  Playing playing;
  for (std::size_t place = 0; place < fields.size(); ++place) {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedAt(root, fields[place]->name()));
    for (const StatedRole& each : stated) {
      ARROW_ASSIGN_OR_RAISE(const Role* role, CheckStated(each, fields, place, playing));
      playing.emplace(role->name, place);
    }
  }
  std::set<std::size_t> taken;
  for (const auto& [name, place] : playing) taken.insert(place);
  for (const Role& role : kRoles) {
    if (playing.contains(role.name)) continue;
    for (std::size_t place = 0; place < fields.size(); ++place) {
      if (fields[place]->name() == role.usual_name && !taken.contains(place) &&
          Fits(role, *fields[place])) {
        playing.emplace(role.name, place);
      }
    }
  }
  for (const auto& [name, place] : playing) {
    fields[place] = WithEntry(*fields[place], kRoleKey, std::string(name));
  }
  return fields;
}

}  // namespace tickmesh::internal
