package api

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// systems are those whose files are looked at. What some of them lack is listed with the names of the others.
var systems = []string{"darwin", "freebsd", "linux", "windows"}

// listing is what the package in a directory exports: a line for each function, method, type, field, constant and
// variable, in order. It is empty for a directory without a package to import.
func listing(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	found := map[string][]string{} // the systems of each line
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if parsed.Name.Name == "main" {
			return nil, nil
		}
		lines := exported(parsed)
		for _, system := range systems {
			context := build.Default
			context.GOOS = system
			if ok, err := context.MatchFile(filepath.Split(file)); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
			for _, line := range lines {
				found[line] = append(found[line], system)
			}
		}
	}
	var list []string
	for line, on := range found {
		slices.Sort(on)
		if on = slices.Compact(on); len(on) < len(systems) {
			line += " // " + strings.Join(on, ", ")
		}
		list = append(list, line)
	}
	slices.Sort(list)
	return list, nil
}

// exported is what one file exports.
func exported(file *ast.File) (lines []string) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				lines = append(lines, function(d)...)
			}
		case *ast.GenDecl:
			var before *ast.ValueSpec // whose type and values a constant takes that has none
			for i, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						lines = append(lines, typeLines(spec)...)
					}
				case *ast.ValueSpec:
					if d.Tok == token.CONST && spec.Type == nil && spec.Values == nil {
						spec = &ast.ValueSpec{Names: spec.Names, Type: before.Type, Values: before.Values}
					}
					before = spec
					lines = append(lines, values(d.Tok, i, spec)...)
				}
			}
		}
	}
	return lines
}

// function is a function, or a method of an exported type.
func function(d *ast.FuncDecl) []string {
	line := "func "
	if d.Recv != nil {
		receiver := types.ExprString(d.Recv.List[0].Type)
		if !ast.IsExported(strings.TrimPrefix(receiver, "*")) {
			return nil
		}
		line += "(" + receiver + ") "
	}
	return []string{line + d.Name.Name + parameters(d.Type.TypeParams) + signature(d.Type)}
}

func signature(f *ast.FuncType) string {
	return strings.TrimPrefix(types.ExprString(&ast.FuncType{Params: f.Params, Results: f.Results}), "func")
}

// parameters are type parameters.
func parameters(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var all []string
	for _, f := range list.List {
		for _, name := range f.Names {
			all = append(all, name.Name+" "+types.ExprString(f.Type))
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// typeLines is a type, with a line for each exported field, or method of an interface.
func typeLines(spec *ast.TypeSpec) []string {
	name := "type " + spec.Name.Name + parameters(spec.TypeParams)
	if spec.Assign.IsValid() {
		return []string{name + " = " + types.ExprString(spec.Type)}
	}
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		return members(name+" struct", typ.Fields, func(f *ast.Field) string {
			field := " " + types.ExprString(f.Type)
			if f.Tag != nil {
				field += " " + f.Tag.Value
			}
			return field
		})
	case *ast.InterfaceType:
		return members(name+" interface", typ.Methods, func(f *ast.Field) string {
			return signature(f.Type.(*ast.FuncType))
		})
	}
	return []string{name + " " + types.ExprString(spec.Type)}
}

// members are the exported fields or methods of a type. That there are others is said, for it decides who may make
// such a value, or have such a method.
func members(head string, list *ast.FieldList, describe func(*ast.Field) string) []string {
	lines := []string{head}
	hidden := false
	for _, f := range list.List {
		if f.Names == nil {
			embedded := types.ExprString(f.Type)
			if ast.IsExported(embedded[strings.LastIndexAny(embedded, "*.")+1:]) {
				lines = append(lines, head+", "+embedded)
			} else {
				hidden = true
			}
		}
		for _, name := range f.Names {
			if name.IsExported() {
				lines = append(lines, head+", "+name.Name+describe(f))
			} else {
				hidden = true
			}
		}
	}
	if hidden {
		lines = append(lines, head+", and more that is not exported")
	}
	return lines
}

// values are constants or variables. Of a variable, the type counts, and its value where it has none.
func values(kind token.Token, index int, spec *ast.ValueSpec) (lines []string) {
	for i, name := range spec.Names {
		if !name.IsExported() {
			continue
		}
		line := kind.String() + " " + name.Name
		if spec.Type != nil {
			line += " " + types.ExprString(spec.Type)
		}
		if i < len(spec.Values) && (kind == token.CONST || spec.Type == nil) {
			value := types.ExprString(spec.Values[i])
			switch {
			case value == "iota":
				value = strconv.Itoa(index)
			case strings.HasPrefix(value, "errors.New(") || strings.HasPrefix(value, "fmt.Errorf("):
				value = "an error"
			}
			line += " = " + value
		}
		lines = append(lines, line)
	}
	return lines
}
