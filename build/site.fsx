(*
Builds the documentation site, artifacts/site: every page of docs/, the README, the notebooks with their committed outputs, the API reference.

    dotnet tool restore
    dotnet build LookaheadKV.sln -c Release
    dotnet fsi build/site.fsx             open artifacts/site/index.html; it needs no server and no network
    dotnet fsi build/check-site.fsx       holds the built site to its rules

The texts are written for the repository, where links name files. Here they become pages of fsdocs: a copy of each with its links turned
goes to .site/, fsdocs makes pages of the copies, and what it leaves to a server (absolute links) or cannot do (pictures in outputs) is done after it.
*)
#load "site-api.fsx"
#load "site-docs.fsx"

open System
open System.Diagnostics
open System.IO
open System.Net
open System.Text.Json.Nodes
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
        "docs/add-a-method.md"
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

let stage (target: string) (content: string) =
    let path = Path.Combine(staged, target)
    Directory.CreateDirectory(Path.GetDirectoryName path |> nonNull) |> ignore
    File.WriteAllText(path, content)

let heading (page: Page) (text: string) =
    match Regex.Match(text, @"^# (.+)$", RegexOptions.Multiline) with
    | found when found.Success -> found.Groups[1].Value.Trim().Replace("`", "").Replace("*", "")
    | _ -> fail $"{page.Source} has no heading; start it with \"# …\"."

let frontMatter (page: Page) (title: string) =
    let shelf = List.findIndex ((=) page.Shelf) shelves
    let index = List.findIndex ((=) page) pages
    $"---\ntitle: {title}\ncategory: {page.Shelf}\ncategoryindex: {shelf + 1}\nindex: {index + 1}\n---\n"

let stageText (page: Page) =
    let text = File.ReadAllText(under page.Source)

    let title =
        if page.Source = "README.md" then
            "README"
        else
            heading page text // its heading is the front page's

    stage (Path.ChangeExtension(page.Target, ".md")) (frontMatter page title + "\n" + translated page text)

let joined (node: JsonNode | null) =
    match node with
    | :? JsonArray as lines -> lines |> Seq.map string |> String.concat ""
    | node -> string node

/// What is put where an output's placeholder stands.
let outputs = Collections.Generic.Dictionary<string, string>()

/// Pictures are files of their own: their ids cannot meet, and fsdocs does not read them as Markdown.
let shown (page: Page) (number: int) (data: JsonObject) =
    let name =
        (if data.ContainsKey "text/plain" then
             joined data["text/plain"]
         else
             "figure")
            .Trim('(', ')', ' ', '\n')

    let picture (extension: string) (write: string -> unit) =
        let file = Path.ChangeExtension(page.Target, null) + $"-{number}{extension}"
        Directory.CreateDirectory(Path.Combine(site, folderOf file)) |> ignore
        write (Path.Combine(site, file))
        $"""<div class="figure" id="output-{number}"><img src="{Path.GetFileName file}" alt="{WebUtility.HtmlEncode name}"></div>"""

    if data.ContainsKey "image/svg+xml" then
        picture ".svg" (fun path -> File.WriteAllText(path, joined data["image/svg+xml"]))
    elif data.ContainsKey "image/png" then
        picture ".png" (fun path -> File.WriteAllBytes(path, Convert.FromBase64String((joined data["image/png"]).Trim())))
    elif data.ContainsKey "text/html" then
        let html = joined data["text/html"]
        $"<div class=\"figure\">{html}</div>"
    elif data.ContainsKey "text/plain" then
        let text = joined data["text/plain"] |> WebUtility.HtmlEncode
        $"<table class=\"pre output\"><tr><td><pre><code>{text}</code></pre></td></tr></table>"
    else
        fail $"{page.Source}: an output is none of image/svg+xml, image/png, text/html, text/plain."

let stageNotebook (page: Page) =
    let notebook = JsonNode.Parse(File.ReadAllText(under page.Source)) |> nonNull

    let cells =
        (notebook["cells"] |> nonNull).AsArray() |> Seq.map nonNull |> Array.ofSeq

    let isText (cell: JsonNode) = string cell["cell_type"] = "markdown"
    let mutable number = 0

    for cell in cells do
        if isText cell then
            cell["source"] <- JsonArray(JsonValue.Create(translated page (joined cell["source"])))
        else
            for output in (cell["outputs"] |> nonNull).AsArray() do
                let output = nonNull output
                let key = $"OUTPUT-{Path.GetFileNameWithoutExtension page.Source}-{number}."
                number <- number + 1

                outputs[key] <-
                    match string output["output_type"] with
                    | "display_data"
                    | "execute_result" -> shown page number ((output["data"] |> nonNull).AsObject())
                    | "stream" ->
                        let text = (joined output["text"]).TrimEnd() |> WebUtility.HtmlEncode
                        $"<table class=\"pre output\"><tr><td><pre><code>{text}</code></pre></td></tr></table>"
                    | other -> fail $"{page.Source}: an output of the kind {other}; run dotnet fsi build/notebooks.fsx."

                let data = JsonObject()
                data["text/html"] <- JsonArray(JsonValue.Create $"<p>{key}</p>")
                output["data"] <- data
                output["output_type"] <- "display_data"
                output.AsObject().Remove "text" |> ignore

    let first = cells |> Array.find isText
    let name = Path.GetFileNameWithoutExtension page.Source
    let text = joined first["source"]
    let title = (heading page text).Split(':')[0]
    let hasScript = File.Exists(under (Path.ChangeExtension(page.Source, ".fsx")))

    let files =
        $"*[{name}.ipynb]({name}.ipynb)" + (if hasScript then $" · [{name}.fsx]({name}.fsx)*" else "*")

    first["source"] <- JsonArray(JsonValue.Create(Regex(@"^# .+$", RegexOptions.Multiline).Replace(text, "$0\n\n" + files, 1)))

    // fsdocs reads a page's place from the first cell.
    let place = JsonObject()
    place["cell_type"] <- "markdown"
    place["metadata"] <- JsonObject()

    place["source"] <-
        JsonArray(
            JsonValue.Create(
                frontMatter
                    page
                    (if hasScript then
                         $"{name.Substring(0, 2)} · {title}"
                     else
                         $"{title} ({name})")
            )
        )

    (notebook["cells"] |> nonNull).AsArray().Insert(0, place)
    stage (Path.ChangeExtension(page.Target, ".ipynb")) (notebook.ToJsonString())

let stageList (folder: string, target: string) =
    let files =
        [
            for file in carried do
                if folderOf file.Key = folder then
                    let name = Path.GetFileName file.Key
                    $"* [{name}]({name})"
        ]

    let title = $"Files in {folder}"
    stage $"{target}/index.md" (String.concat "\n" ($"---\ntitle: {title}\n---\n\n# {title}\n" :: files))

// ---- fsdocs ----------------------------------------------------------------------------------------------------------------------------

/// Stands for the way to the site's root in what fsdocs writes.
let rootMark = "SITE-ROOT/"

let runFsdocs () =
    let arguments =
        [
            "fsdocs"
            "build"
            "--input"
            ".site"
            "--output"
            "artifacts/site"
            "--nodefaultcontent"
            "--projects"
            yield! libraries |> List.map (fun name -> $"src/{name}/{name}.csproj")
            "src/LookaheadKV.FSharp/LookaheadKV.FSharp.fsproj"
            "src/LookaheadKV.Reports/LookaheadKV.Reports.fsproj"
            "--properties"
            "Configuration=Release"
            "FsDocsGenerateLlmsTxt=false"
            $"ApiReference={apiFolder}"
            "--parameters"
            "root"
            rootMark
            "fsdocs-collection-name"
            "LookaheadKV"
        ]

    let start =
        ProcessStartInfo("dotnet", arguments, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = root)

    use fsdocs = Process.Start start |> nonNull
    let errors = fsdocs.StandardError.ReadToEndAsync()
    let log = fsdocs.StandardOutput.ReadToEnd() + errors.Result
    fsdocs.WaitForExit()
    File.WriteAllText(under "artifacts/site.log", log)

    // Types of names in excerpts cannot always be found; a member that is missing from the reference is another matter.
    let missing =
        log.Split '\n' |> Array.filter (fun line -> line.StartsWith("Could not", StringComparison.Ordinal))

    if fsdocs.ExitCode <> 0 || missing.Length > 0 then
        for line in missing do
            eprintfn $"{line}"

        fail $"fsdocs did not make all pages (exit code {fsdocs.ExitCode}); its messages are in artifacts/site.log."

// ---- After fsdocs ----------------------------------------------------------------------------------------------------------------------

/// What compilers add to records, where nobody has said anything of it: rows of the reference that only hide the others.
let generated =
    Regex(
        "<a id=\"(Equals|GetHashCode|ToString|Deconstruct|CompareTo|``&lt;Clone&gt;\\$``|``<Clone>\\$``|\\(&lt;&gt;\\)|\\(<>\\)|\\(=\\))\">"
    )

let withoutGenerated (text: string) =
    Regex.Replace(
        text,
        "<tr>.*?</tr>\\s*",
        (fun (row: Match) ->
            if generated.IsMatch row.Value && not (row.Value.Contains "fsdocs-summary") then
                ""
            else
                row.Value),
        RegexOptions.Singleline
    )

/// Headings are named as fsdocs names them; a link of the repository names them as its host does: compare letters and digits.
let bare (text: string) =
    Regex.Replace(text.ToLowerInvariant(), "[^a-z0-9]", "")

let finished (target: string) (html: string) =
    let isReference = target.StartsWith("reference/", StringComparison.Ordinal)
    let isNotebookPage = target.StartsWith("notebooks/", StringComparison.Ordinal)
    let depth = target |> Seq.filter ((=) '/') |> Seq.length
    let toRoot = String.replicate depth "../"

    let replace (pattern: string) (by: string) (text: string) =
        Regex.Replace(text, pattern, by, RegexOptions.Singleline)

    let withoutTips text =
        // Excerpts are no whole scripts: fsdocs guesses their types wrongly.
        if isReference || isNotebookPage then
            text
        else
            text
            |> replace "<div popover class=\"fsdocs-tip\".*?</div>\n?" ""
            |> replace " data-fsdocs-tip=\"[^\"]*\" data-fsdocs-tip-unique=\"[^\"]*\"" ""

    /// Doc comments under the pointer come with their tags.
    let withoutTags text =
        let plain (comment: Match) =
            comment.Value |> replace "&lt;/?[a-z].*?&gt;" "" |> replace @"\s*\n\s*" " "

        Regex.Replace(
            text,
            "<div popover class=\"fsdocs-tip\".*?</div>",
            (fun (tip: Match) -> Regex.Replace(tip.Value, "<em>.*?</em>", plain, RegexOptions.Singleline)),
            RegexOptions.Singleline
        )

    let withOutputs text =
        Regex.Replace(text, @"(<p>\s*)*(OUTPUT-[^<>\s]+?-\d+\.)(\s*</p>)*", fun (found: Match) -> outputs[found.Groups[2].Value])

    html
    |> replace "<div class=\"icon-button-row\">(\\s*<div class=\"fsdocs-source-link\".*?</div>)*\\s*</div>" ""
    |> replace "<fsdocs-details-toggle></fsdocs-details-toggle>" ""
    // fsdocs takes every foreign type for one of Microsoft's.
    |> replace "<a href=\"https://learn.microsoft.com/dotnet/api/(?!system\\.|microsoft\\.)[^\"]*\">(.*?)</a>" "$1"
    |> replace "<details>" "<details open>"
    // Numbers with their intervals stay on one line.
    |> replace "<td([^>]*)><p>([-−]?[0-9.][^<]{0,27})</p></td>" "<td class=\"short\"$1><p>$2</p></td>"
    |> withoutTips
    |> withoutTags
    |> (if isReference then withoutGenerated else id)
    |> withOutputs
    |> fun text -> text.Replace(rootMark, toRoot)

/// Anchors of a page.
let anchors = Regex("<a name=\"([^\"]+)\"")

let finish () =
    let files =
        Directory.GetFiles(site, "*.html", SearchOption.AllDirectories)
        |> Array.map (fun path -> path, Path.GetRelativePath(site, path).Replace('\\', '/'))

    let texts =
        dict [ for path, target in files -> target, finished target (File.ReadAllText path) ]

    let names =
        dict
            [
                for text in texts ->
                    text.Key,
                    dict
                        [
                            for anchor in anchors.Matches text.Value |> Seq.distinctBy (fun a -> bare a.Groups[1].Value) ->
                                bare anchor.Groups[1].Value, anchor.Groups[1].Value
                        ]
            ]

    let leadsTo (target: string) (link: string) =
        if link = "" then
            target
        else
            Path.GetRelativePath("/", Path.GetFullPath(Path.Combine("/" + folderOf target, link))).Replace('\\', '/')

    // The reference's links to types that have no page, being internal, become their names.
    let withoutDeadTypes (target: string) text =
        Regex.Replace(
            text,
            "<a href=\"([^\"#:]*reference/[^\"#:]*)\">(.*?)</a>",
            (fun (found: Match) ->
                if texts.ContainsKey(leadsTo target found.Groups[1].Value) then
                    found.Value
                else
                    found.Groups[2].Value),
            RegexOptions.Singleline
        )

    let withAnchors (target: string) text =
        Regex.Replace(
            text,
            "href=\"([^\":#]*)#([^\"]+)\"",
            fun (found: Match) ->
                let page, anchor = found.Groups[1].Value, found.Groups[2].Value

                match names.TryGetValue(leadsTo target page) with
                | true, known when known.ContainsKey(bare anchor) -> $"href=\"{page}#{known[bare anchor]}\""
                | _ -> found.Value
        )

    for path, target in files do
        let text = texts[target] |> withoutDeadTypes target |> withAnchors target
        File.WriteAllText(path, text)

    // By-products of fsdocs that nothing here reads: Markdown twins of the pages and the index of its own search.
    for path in Directory.GetFiles(site, "*.md", SearchOption.AllDirectories) do
        File.Delete path

    for name in [ "index.json"; "llms.txt"; "llms-full.txt" ] do
        File.Delete(Path.Combine(site, name))

    for file in carried do
        let target = Path.Combine(site, file.Value)
        Directory.CreateDirectory(Path.GetDirectoryName target |> nonNull) |> ignore
        File.Copy(under file.Key, target, true)

    files.Length

let remove (folder: string) =
    if Directory.Exists folder then
        Directory.Delete(folder, true)

let build () =
    let clock = Stopwatch.StartNew()

    let built =
        libraries |> List.map (fun name -> Path.Combine(releases, $"{name}/release/{name}.dll"))

    if not (List.forall File.Exists built) then
        fail "the libraries are not built; run dotnet build LookaheadKV.sln -c Release first."

    for folder in [ staged; site; apiFolder; under ".fsdocs" ] do
        remove folder

    Directory.CreateDirectory site |> ignore

    for library in built do
        let name = Path.GetFileNameWithoutExtension library
        SiteApi.copy library apiFolder
        // Beside the command stands every assembly that the libraries refer to.
        SiteDocs.inheritInto (Path.Combine(apiFolder, $"{name}.xml")) (Path.Combine(releases, $"LookaheadKV.Cli/release/{name}.dll"))

    for page in pages do
        if isNotebook page.Source then
            stageNotebook page
        else
            stageText page

    listed |> List.iter stageList
    File.Copy(under "docs/_template.html", Path.Combine(staged, "_template.html"))
    runFsdocs ()
    let count = finish ()

    for folder in [ staged; under ".fsdocs" ] do
        remove folder

    printfn $"artifacts/site: {count} pages, {clock.Elapsed.TotalSeconds:F0} s; open artifacts/site/index.html"

build ()
