(*
Writes the tables of docs/packages.md: what each package of this repository is, what it stands on, what it pulls in, and how large that is.

    dotnet build LookaheadKV.sln -c Release
    dotnet fsi build/packages.fsx            writes them
    dotnet fsi build/packages.fsx --check    writes nothing; fails if the tables are not these, or a package stands on one that comes after it

They are read from what NuGet resolved (artifacts/obj/*/project.assets.json), for Linux on x64.
*)
open System
open System.Globalization
open System.IO
open System.Runtime.InteropServices
open System.Text.Json
open System.Xml.Linq

let root = Path.Combine(__SOURCE_DIRECTORY__, "..") |> Path.GetFullPath
let page = Path.Combine(root, "docs", "packages.md")

let fail (message: string) =
    eprintfn $"{message}"
    exit 1

/// Each stands only on those before it.
let order =
    [
        "LookaheadKV"
        "LookaheadKV.Evaluation"
        "LookaheadKV.Pretraining"
        "LookaheadKV.Nano"
        "LookaheadKV.FSharp"
        "LookaheadKV.Reports"
        "LookaheadKV.Cli"
    ]

/// What packages of others are for: those that a project names itself.
let purposes =
    Map
        [
            "DuckDB.NET.Bindings.Full", "the library behind DuckDB.NET.Data.Full"
            "DuckDB.NET.Data.Full", "SQL over the cells of studies"
            "Google.Protobuf", "SentencePiece's model files"
            "MathNet.Numerics", "medians, Student's t"
            "Microsoft.ML.Tokenizers", "byte-level BPE"
            "Plotly.NET", "figures"
            "Spectre.Console", "tables and bars on a terminal"
            "System.CommandLine", "verbs and options"
            "TorchSharp", "tensors, by libtorch"
            "libtorch-cpu-linux-x64", "libtorch for the CPU; a package a system"
        ]

/// A package of others: its name, version and MB, of which a program on Linux gets so much.
type Package =
    {
        Name: string
        Version: string
        Bytes: int64
    }

/// A package of ours.
type Project =
    {
        Name: string
        Description: string
        /// Ours that it names.
        Ours: string list
        /// Names of others' that it names.
        Named: string list
        /// All of others' that come with it.
        All: Package list
    }

let members (node: JsonElement) =
    [ for entry in node.EnumerateObject() -> entry.Name, entry.Value ]

let get (name: string) (node: JsonElement) =
    match node.TryGetProperty name with
    | true, value -> Some value
    | _ -> None

let only (node: JsonElement) = members node |> List.exactlyOne |> snd

let descriptionOf name =
    let file =
        Directory.GetFiles(Path.Combine(root, "src", name), "*.*proj") |> Array.exactlyOne

    match XDocument.Load(file).Descendants(XName.Get "Description") |> Seq.tryHead with
    | Some description -> description.Value.TrimEnd '.'
    | None -> fail $"{Path.GetFileName file} has no Description; say there what the package is."

let read (name: string) =
    let file = Path.Combine(root, "artifacts", "obj", name, "project.assets.json")

    if not (File.Exists file) then
        fail $"{name} is not restored; run dotnet build LookaheadKV.sln -c Release first."

    use document = JsonDocument.Parse(File.ReadAllText file)
    let assets = document.RootElement
    let project = assets.GetProperty "project"
    let folders = assets.GetProperty "packageFolders" |> members |> List.map fst
    let libraries = assets.GetProperty "libraries"

    let sizeOf (library: JsonElement) (target: JsonElement) =
        let path = library.GetProperty("path").GetString()

        let folder =
            folders |> List.map (fun folder -> Path.Combine(folder, path)) |> List.find Directory.Exists

        [
            for file in get "runtime" target |> Option.map members |> Option.defaultValue [] do
                fst file
            for file in library.GetProperty("files").EnumerateArray() do
                let file = file.GetString() |> nonNull

                if file.StartsWith("runtimes/linux-x64/native/", StringComparison.Ordinal) then
                    file
        ]
        |> List.filter (fun file -> not (file.EndsWith("_._", StringComparison.Ordinal)))
        |> List.sumBy (fun file -> FileInfo(Path.Combine(folder, file)).Length)

    let all =
        [
            // A publication for one system has a target beside.
            let targets =
                assets.GetProperty "targets" |> members |> List.filter (fun (name, _) -> not (name.Contains '/'))

            for key, target in targets |> List.exactlyOne |> snd |> members do
                if target.GetProperty("type").GetString() = "package" then
                    let parts = key.Split '/'

                    {
                        Name = parts[0]
                        Version = parts[1]
                        Bytes = sizeOf (libraries.GetProperty key) target
                    }
        ]

    let restored = (project.GetProperty "restore").GetProperty "frameworks" |> only

    {
        Name = name
        Description = descriptionOf name
        Ours =
            [
                for file, _ in restored.GetProperty "projectReferences" |> members -> Path.GetFileNameWithoutExtension file |> string
            ]
        Named =
            project.GetProperty "frameworks"
            |> only
            |> get "dependencies"
            |> Option.map (members >> List.map fst)
            |> Option.defaultValue []
        All = all
    }

/// What is wrong with the order.
let wrong (projects: Project list) =
    [
        for folder in Directory.GetDirectories(Path.Combine(root, "src")) do
            let name = Path.GetFileName folder |> string

            if not (List.contains name order) then
                $"{name} has no place in the order of packages; give it one in build/packages.fsx."
        for project in projects do
            for other in project.Ours do
                if List.findIndex ((=) other) order >= List.findIndex ((=) project.Name) order then
                    $"{project.Name} stands on {other}, which comes after it."
    ]

let megabytes (bytes: int64) =
    (float bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture)

let listed (names: string list) =
    match names with
    | [] -> "–"
    | names -> String.Join(", ", names |> List.sortBy _.ToLowerInvariant())

let row (cells: string list) = "| " + String.Join(" | ", cells) + " |"

let table (header: string list) (rows: string list list) =
    [
        row header
        row
            [
                for i, _ in List.indexed header -> if i = header.Length - 1 then "---:" else "---"
            ]
        for cells in rows do
            row cells
    ]

let tables (projects: Project list) =
    let find name =
        projects |> List.find (fun project -> project.Name = name)

    let ours =
        [
            for project in projects do
                let before =
                    project.Ours |> List.collect (fun name -> (find name).All) |> List.map _.Name |> set

                let named = set project.Named

                let pulled =
                    [
                        for package in project.All do
                            if not (before.Contains package.Name || named.Contains package.Name) then
                                package.Name
                    ]

                [
                    $"**{project.Name}**"
                    project.Description
                    listed project.Ours
                    listed project.Named
                    listed pulled
                    project.All |> List.sumBy _.Bytes |> megabytes
                ]
        ]

    let others =
        [
            for name, uses in
                projects
                |> List.collect (fun project -> [ for package in project.All -> package, project.Name ])
                |> List.groupBy (fun (package, _) -> package.Name)
                |> List.sortBy (fun (name, _) -> name.ToLowerInvariant()) do
                let package = fst uses.Head

                let isNamed =
                    projects |> List.exists (fun project -> List.contains name project.Named)

                let purpose =
                    match purposes.TryFind name with
                    | Some purpose when isNamed -> purpose
                    | None when not isNamed -> "comes with another"
                    | Some _ -> fail $"nothing names {name} any more; take it out of build/packages.fsx."
                    | None -> fail $"{name} is named by a project; say in build/packages.fsx what it is for."

                [ name; package.Version; purpose; snd uses.Head; megabytes package.Bytes ]
        ]

    table
        [
            "package"
            "what it is"
            "stands on"
            "names"
            "these pull in"
            "MB, all in all"
        ]
        ours
    @ [ "" ]
    @ table [ "package of others"; "version"; "for"; "first comes with"; "MB" ] others

let first, last = "<!-- tables of build/packages.fsx -->", "<!-- end of tables -->"

let withTables (text: string) (lines: string list) =
    match text.IndexOf first, text.IndexOf last with
    | start, finish when start >= 0 && finish > start ->
        let middle = String.Join("\n", lines)
        text.Substring(0, start + first.Length) + $"\n\n{middle}\n\n" + text.Substring finish
    | _ -> fail $"docs/packages.md has no place for the tables: {first} … {last}."

let main arguments =
    if not (OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture = Architecture.X64) then
        fail "the tables are those of Linux on x64; run this there."

    let projects = order |> List.map read
    let text = File.ReadAllText page
    let made = tables projects |> withTables text

    match wrong projects, arguments with
    | [], [] -> File.WriteAllText(page, made)
    | [], [ "--check" ] when made = text -> printfn $"{projects.Length} packages stand one above the other; the tables hold"
    | [], [ "--check" ] -> fail "docs/packages.md is not what the packages are; run dotnet fsi build/packages.fsx."
    | [], _ -> fail "usage: dotnet fsi build/packages.fsx [--check]"
    | problems, _ -> fail (String.Join("\n", problems))

main (fsi.CommandLineArgs |> Array.toList |> List.tail)
