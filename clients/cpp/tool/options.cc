#include "options.h"

#include <map>

namespace tickmesh::tool {

namespace {

/// A list whose option takes one value each time, so that what follows it is not swallowed.
void AddList(CLI::App* command, const std::string& name, std::vector<std::string>* values,
             const std::string& text) {
  command->add_option(name, *values, text)->expected(1)->take_all()->allow_extra_args(false);
}

}  // namespace

void AddOutput(CLI::App* command, Output* output) {
  static const std::map<std::string, Output> kNames = {{"table", Output::kTable},
                                                       {"json", Output::kJson}};
  command
      ->add_option("--output", *output, "A table for people, or JSON for programs: table or json.")
      ->transform(CLI::CheckedTransformer(kNames).description(""))
      ->type_name("table|json");
}

void AddChoices(CLI::App* command, std::vector<std::string>* symbols,
                std::vector<std::string>* columns) {
  AddList(command, "--symbol", symbols, "Only this symbol; repeatable.");
  AddList(command, "--column", columns, "Only this column; repeatable.");
}

}  // namespace tickmesh::tool
