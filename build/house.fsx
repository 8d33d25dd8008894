(*
Draws which folder uses which, from the imports in the code: an arc diagram as SVG.

    dotnet fsi build/house.fsx OUT.svg                   this tree
    dotnet fsi build/house.fsx OUT.svg --commit COMMIT   that commit's
    dotnet fsi build/house.fsx --table                   prints the arcs instead

Folders stand in the order of docs/architecture.md, the lowest first: what a folder uses should stand above it. Arcs on the left go up, as they
should; arcs on the right go down, in red. An arc is as thick as the number of files that import.
*)
open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Text.RegularExpressions

let root = Path.GetFullPath(Path.Combine(__SOURCE_DIRECTORY__, ".."))

/// Packages and their folders, each using only those before it.
let order =
    [
        for folder in
            [
                ""
                "Files"
                "Runtime"
                "Jinja"
                "Checkpoints"
                "Text"
                "Attention"
                "Models"
                "Cache"
                "Passes"
                "Scoring"
                "Budgeting"
                "Eviction"
                "Lookahead"
                "Generation"
                "Methods"
                "Training"
            ] do
            "LookaheadKV", folder
        "LookaheadKV.Evaluation", ""
        "LookaheadKV.Pretraining", ""
        "LookaheadKV.FSharp", ""
        "LookaheadKV.Reports", ""
        "LookaheadKV.Cli", ""
    ]

let name (package: string, folder: string) =
    match package, folder with
    | "LookaheadKV", "" -> "(root)"
    | "LookaheadKV", folder -> folder
    | package, _ -> package.Replace("LookaheadKV.", "")

let git (arguments: string list) =
    let start =
        ProcessStartInfo("git", arguments, RedirectStandardOutput = true, WorkingDirectory = root)

    use git = Process.Start start |> nonNull
    let output = git.StandardOutput.ReadToEnd()
    git.WaitForExit()

    if git.ExitCode = 0 then
        output
    else
        failwith $"""git {String.concat " " arguments} failed."""

let lines (text: string) =
    text.Split('\n', StringSplitOptions.RemoveEmptyEntries) |> List.ofArray

/// Source files of the tree or of a commit, with their text.
let sources commit =
    let isSource (path: string) =
        (path.EndsWith(".cs", StringComparison.Ordinal) || path.EndsWith(".fs", StringComparison.Ordinal))
        && path.StartsWith("src/", StringComparison.Ordinal)

    match commit with
    | Some commit ->
        git [ "ls-tree"; "-r"; "--name-only"; commit; "src" ]
        |> lines
        |> List.filter isSource
        |> List.map (fun path -> path, git [ "show"; $"{commit}:{path}" ])
    | None ->
        git [ "ls-files"; "src" ]
        |> lines
        |> List.filter (fun path -> isSource path && File.Exists(Path.Combine(root, path)))
        |> List.map (fun path -> path, File.ReadAllText(Path.Combine(root, path)))

/// The room of a path's parts or of a namespace: a folder of the core, or a whole other package.
let room (parts: string list) =
    match parts with
    | "LookaheadKV" :: ("Evaluation" | "Pretraining" | "FSharp" | "Reports" | "Cli" as package) :: _ -> $"LookaheadKV.{package}", ""
    | "LookaheadKV" :: folder :: _ -> "LookaheadKV", folder
    | _ -> "LookaheadKV", ""

let roomOf (path: string) =
    match path.Split('/') |> List.ofArray |> List.tail with
    | package :: rest when package.Contains '.' -> room (List.ofArray (package.Split '.') @ rest)
    | package :: folder :: _ :: _ -> room [ package; folder ]
    | _ -> room [ "LookaheadKV" ]

let import =
    Regex(@"^\s*(?:using|open) (?:static )?(LookaheadKV[\w.]*)", RegexOptions.Multiline ||| RegexOptions.Compiled)

let read commit =
    let files = sources commit
    let size = files |> List.countBy (fun (path, _) -> roomOf path) |> Map.ofList

    let uses =
        files
        |> List.collect (fun (path, text) ->
            [
                for found in import.Matches text -> room (List.ofArray (found.Groups[1].Value.Split '.'))
            ]
            |> List.distinct
            |> List.filter (fun used -> used <> roomOf path)
            |> List.map (fun used -> roomOf path, used))
        |> List.countBy id

    order |> List.filter size.ContainsKey, size, uses

let draw commit =
    let rooms, size, uses = read commit

    let text (number: float) =
        number.ToString("0.#", CultureInfo.InvariantCulture)

    let place = rooms |> List.mapi (fun index room -> room, index) |> Map.ofList
    let step, top, left, width = 34., 64., 300., 170.
    let y room = top + step * float place[room]

    let arc ((user, used), count) =
        let goesUp = place[used] < place[user]
        let side = if goesUp then left else left + width
        let reach = 12. + 11.5 * abs (y user - y used) / step
        let bend = if goesUp then side - reach else side + reach
        let colour = if goesUp then "#9aa5b1" else "#c62828"
        let from, target = y user + 4., y used - 4.

        $"""<path d="M {text side} {text from} C {text bend} {text from}, {text bend} {text target}, {text side} {text target}" fill="none" stroke="{colour}" stroke-width="{text (0.7 + 0.25 * float (min count 16))}" stroke-opacity="0.75" marker-end="url(#{if goesUp then "up" else "down"})"/>"""

    let box room =
        let fill = if fst room = "LookaheadKV" then "#e8f0fe" else "#fff4e0"

        $"""<rect x="{text left}" y="{text (y room - 12.)}" width="{text width}" height="24" rx="4" fill="{fill}" stroke="#52606d"/>"""
        + $"""<text x="{text (left + 8.)}" y="{text (y room + 4.)}">{name room}</text>"""
        + $"""<text x="{text (left + width - 8.)}" y="{text (y room + 4.)}" text-anchor="end" fill="#7b8794">{size[room]}</text>"""

    let wrong = uses |> List.filter (fun ((user, used), _) -> place[used] > place[user])

    let marker id colour =
        $"""<marker id="{id}" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0 L6 3 L0 6 z" fill="{colour}"/></marker>"""

    let height = top + step * float rooms.Length

    [
        $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {text height}" font-family="sans-serif" font-size="13">"""
        "<style>svg{background:#fff}</style>"
        $"""<defs>{marker "up" "#9aa5b1"}{marker "down" "#c62828"}</defs>"""
        $"""<text x="{text (left + width / 2.)}" y="24" text-anchor="middle" font-size="15">{uses.Length - wrong.Length} imports go up, {wrong.Length} go down</text>"""
        $"""<text x="{text (left + width / 2.)}" y="41" text-anchor="middle" fill="#7b8794">a room is a folder of the core, or another package; its number is its files</text>"""
        yield! uses |> List.sortBy (fun ((user, used), _) -> place[used] > place[user]) |> List.map arc
        yield! rooms |> List.map box
        "</svg>"
    ]
    |> String.concat "\n"

match fsi.CommandLineArgs |> Array.toList |> List.tail with
| [ "--table" ] ->
    let _, _, uses = read None

    for (user, used), count in List.sort uses do
        printfn "%s → %s: %d" (name user) (name used) count
| [ out ] -> File.WriteAllText(out, draw None + "\n")
| [ out; "--commit"; commit ] -> File.WriteAllText(out, draw (Some commit) + "\n")
| _ ->
    eprintfn "give OUT.svg, OUT.svg --commit COMMIT, or --table."
    exit 2
