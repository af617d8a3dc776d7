#include "mapping/field_ids.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <utility>

#include "mapping/field_metadata.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

/// What the path of a list's items adds to that of the list.
constexpr const char* kItem = "[]";
/// What the path of a map's values adds to that of the map.
constexpr const char* kValue = "{}";

std::string Escaped(const std::string& name) {
  std::string escaped;
  for (const char sign : name) {
    if (sign == '\\' || sign == '.' || sign == '[' || sign == '{') escaped.push_back('\\');
    escaped.push_back(sign);
  }
  return escaped;
}

/// Rebuilds fields from their paths: told each field's path, parents before what is nested in them;
/// returns the field to put in its place once what is nested in it has been rebuilt.
class FieldWalk {
 public:
  using Visit = std::function<void(const std::string& path)>;
  using Rebuild =
      std::function<std::shared_ptr<arrow::Field>(const arrow::Field&, const std::string& path)>;

  FieldWalk(Visit visit, Rebuild rebuild)
      : visit_(std::move(visit)), rebuild_(std::move(rebuild)) {}

  /// \param prefix the path of the struct around, with a point at its end; empty for a row.
  arrow::FieldVector Fields(const arrow::FieldVector& fields, const std::string& prefix) const {
    arrow::FieldVector rebuilt;
    rebuilt.reserve(fields.size());
    for (const auto& field : fields) {
      const std::string path = prefix + Escaped(field->name());
      rebuilt.push_back(Field(*field, path, path));
    }
    return rebuilt;
  }

 private:
  /// \param names the path of names that fields nested in it continue.
  std::shared_ptr<arrow::Field> Field(const arrow::Field& field, const std::string& path,
                                      const std::string& names) const {
    visit_(path);
    const auto inside = Type(field.type(), path, names);
    return rebuild_(inside == field.type() ? field : *field.WithType(inside), path);
  }

  std::shared_ptr<arrow::DataType> Type(const std::shared_ptr<arrow::DataType>& type,
                                        const std::string& path, const std::string& names) const {
    switch (type->id()) {
      case arrow::Type::STRUCT:
        return arrow::struct_(Fields(type->fields(), names + "."));
      case arrow::Type::LIST: {
        const auto& list = static_cast<const arrow::ListType&>(*type);
        return arrow::list(Field(*list.value_field(), path + kItem, names));
      }
      case arrow::Type::MAP: {
        const auto& map = static_cast<const arrow::MapType&>(*type);
        return arrow::map(map.key_type(), Field(*map.item_field(), path + kValue, names));
      }
      default:
        return type;
    }
  }

  Visit visit_;
  Rebuild rebuild_;
};

}  // namespace

std::string JoinPath(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& name : names) {
    if (&name != &names.front()) path.push_back('.');
    path += Escaped(name);
  }
  return path;
}

arrow::Result<FieldIds> Extended(FieldIds ids, const arrow::FieldVector& fields) {
  std::int64_t greatest = 0;
  for (const auto& [path, id] : ids) greatest = std::max(greatest, id);
  bool is_spent = false;
  const FieldWalk walk(
      [&](const std::string& path) {
        if (ids.contains(path)) return;
        is_spent = is_spent || greatest == std::numeric_limits<std::int64_t>::max();
        if (!is_spent) ids.emplace(path, ++greatest);
      },
      [](const arrow::Field& field, const std::string& /*path*/) {
        return field.WithName(field.name());
      });
  walk.Fields(fields, "");
  if (!is_spent) return ids;
  return MakeError(
      "the field ids given leave no greater one for a new field",
      {.code = ErrorCode::kInvalidArgument, .reason = "FIELD_IDS_SPENT", .domain = "tickmesh"});
}

arrow::FieldVector Numbered(const arrow::FieldVector& fields, const FieldIds& ids) {
  const FieldWalk walk([](const std::string& /*path*/) {},
                       [&ids](const arrow::Field& field, const std::string& path) {
                         const auto id = ids.find(path);
                         if (id == ids.end()) return field.WithName(field.name());
                         return WithEntry(field, kFieldIdKey, std::to_string(id->second));
                       });
  return walk.Fields(fields, "");
}

}  // namespace tickmesh::internal
