(*
Which pages the site has, where each lies, and where links between them lead.
*)
module SitePages

open System
open System.IO
open System.Text.RegularExpressions

let root = Path.Combine(__SOURCE_DIRECTORY__, "..") |> Path.GetFullPath
let under (path: string) = Path.Combine(root, path)

// Beside artifacts/, so that a notebook's #I "../artifacts/…" holds for fsdocs, which looks up the types of its names.
let staged = under ".site"
let site = under "artifacts/site"
let apiFolder = under "artifacts/site-api"

/// The C# libraries, whose reference the site has.
let libraries =
    [ "LookaheadKV"; "LookaheadKV.Evaluation"; "LookaheadKV.Pretraining" ]

let releases = under "artifacts/bin"

let fail (message: string) =
    eprintfn $"{message}"
    exit 1

/// Paths of files below a folder, relative to the repository, with slashes, sorted.
let filesOf (folder: string) =
    Directory.GetFiles(under folder, "*", SearchOption.AllDirectories)
    |> Array.map (fun path -> Path.GetRelativePath(root, path).Replace('\\', '/'))
    |> Array.sort
    |> List.ofArray

let folderOf (path: string) =
    match path.LastIndexOf '/' with
    | -1 -> ""
    | last -> path.Substring(0, last)

/// The way from a page's folder to another page.
let relative (fromFolder: string) (target: string) =
    Path.GetRelativePath("/" + fromFolder, "/" + target).Replace('\\', '/')

// ---- What becomes a page, where, and under which heading of the list -------------------------------------------------------------------

/// A text or notebook and its page: paths from the repository's root and from the site's.
type Page =
    {
        Source: string
        Target: string
        Shelf: string
    }

let shelves = [ "Start"; "Notebooks"; "Guide"; "Results"; "Tests" ]

/// Pages that come first on their shelf, in this order; the others follow by name.
let order =
    [
        "docs/method.md"
        "docs/architecture.md"
        "docs/paper-vs-ours.md"
        "docs/methods.md"
        "docs/add-a-method.md"
        "docs/add-a-family.md"
        "docs/training.md"
        "docs/results/README.md"
        "docs/results/rivals.md"
        "docs/results/speed.md"
        "docs/results/micro.md"
        "docs/results/real-models.md"
    ]

let isNotebook (path: string) =
    path.EndsWith(".ipynb", StringComparison.Ordinal)

let page shelf (prefix: string) (source: string) =
    let place =
        source.Substring(prefix.Length) |> fun path -> Path.ChangeExtension(path, ".html")

    {
        Source = source
        Target = place
        Shelf = shelf
    }

let docs = filesOf "docs"

let pages =
    [
        page "Start" "" "README.md"

        for notebook in filesOf "notebooks" do
            if isNotebook notebook then
                page "Notebooks" "" notebook

        for source in docs do
            // A notebook among the results is a run of one elsewhere.
            if source.EndsWith(".md", StringComparison.Ordinal) || isNotebook source then
                let shelf =
                    if source = "docs/index.md" then
                        "Start"
                    elif source.StartsWith("docs/results/", StringComparison.Ordinal) then
                        "Results"
                    elif List.contains source [ "docs/mutation.md"; "docs/planted-bugs.md" ] then
                        "Tests"
                    else
                        "Guide"

                page shelf "docs/" source

        for card in Directory.GetDirectories(under "src/LookaheadKV.Nano/models") |> Array.sort do
            let name = Path.GetFileName card

            {
                Source = $"src/LookaheadKV.Nano/models/{name}/README.md"
                Target = $"models/{name}.html"
                Shelf = "Guide"
            }
    ]
    |> List.sortBy (fun page ->
        List.findIndex ((=) page.Shelf) shelves,
        List.tryFindIndex ((=) page.Source) order |> Option.defaultValue Int32.MaxValue,
        page.Source)

let pageOf source =
    pages |> List.tryFind (fun page -> page.Source = source)

/// Files that the site carries as they are: all of docs/, the notebooks and their scripts, and whatever else a text links to.
let carried = Collections.Generic.SortedDictionary<string, string>()

for source in docs @ filesOf "notebooks" do
    if
        pageOf source |> Option.forall (fun page -> isNotebook page.Source)
        && not (source.EndsWith("_template.html", StringComparison.Ordinal))
    then
        carried[source] <-
            if source.StartsWith "docs/" then
                source.Substring 5
            else
                source

/// Folders that get a page with a list of their files.
let listed =
    [
        for folder in carried.Keys |> Seq.map folderOf |> Seq.distinct do
            if folder <> "docs" && pageOf $"{folder}/README.md" |> Option.isNone then
                folder,
                (if folder.StartsWith "docs/" then
                     folder.Substring 5
                 else
                     folder)
    ]

// ---- Links -----------------------------------------------------------------------------------------------------------------------------

/// Where a link of a text leads within the site; links elsewhere stay.
let turned (from: Page) (link: string) =
    if Regex.IsMatch(link, "^([a-z]+:|#)") then
        link
    else
        let path, fragment =
            match link.IndexOf '#' with
            | -1 -> link, ""
            | start -> link.Substring(0, start), link.Substring start

        let source =
            Path.GetRelativePath("/", Path.GetFullPath(Path.Combine("/" + folderOf from.Source, path))).Replace('\\', '/').TrimEnd('/')

        let target =
            match pageOf source, pageOf $"{source}/README.md", List.tryFind (fst >> (=) source) listed with
            | Some page, _, _ -> page.Target
            | _, Some page, _ -> page.Target
            | _, _, Some(_, folder) -> $"{folder}/index.html"
            | _ when source = "docs" -> "index.html"
            | _ when File.Exists(under source) ->
                if not (carried.ContainsKey source) then
                    carried[source] <- $"files/{source}"

                carried[source]
            | _ when Directory.Exists(under source) ->
                fail
                    $"{from.Source} links to the folder {link}, which is no part of the site; link to a file in it, or to the page that describes it."
            | _ -> fail $"{from.Source} links to {link}, which is not there."

        relative (folderOf from.Target) target + fragment

let markup =
    Regex(
        @"(?<fence>^[ \t]*```[^\n]*\n.*?^[ \t]*```)|(?<indented>(?<=\A|\n\n)(?:[ ]{4}[^\n]*(?:\n|\z))+)|(?<code>(?<ticks>`+).+?\k<ticks>)|\]\((?<link>[^)\s]+)\)|(?<dollar>\$)",
        RegexOptions.Multiline ||| RegexOptions.Singleline
    )

/// A text as fsdocs reads it right: links turned, code without a language not taken for F# (it drops what follows a sign that F# does not
/// know, such as the dot of a product), no dollar taken for a formula.
let translated (page: Page) (text: string) =
    markup.Replace(
        text.ReplaceLineEndings "\n",
        fun (found: Match) ->
            if found.Groups["fence"].Success then
                Regex.Replace(found.Value, @"\A([ \t]*```)[ \t]*\n", "$1text\n")
            elif found.Groups["indented"].Success then
                let lines =
                    Regex.Replace(found.Value.TrimEnd '\n', "^ {4}", "", RegexOptions.Multiline)

                $"```text\n{lines}\n```\n"
            elif found.Groups["code"].Success then
                // fsdocs ends code that starts with a blank at the wrong tick.
                let ticks = found.Groups["ticks"].Value
                ticks + found.Value.Substring(ticks.Length).TrimStart ' '
            elif found.Groups["dollar"].Success then
                "&#36;"
            else
                let link = found.Groups["link"].Value
                $"]({turned page link})"
    )

// ---- Copies for fsdocs -----------------------------------------------------------------------------------------------------------------
