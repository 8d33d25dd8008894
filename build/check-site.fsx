(*
Holds the built site (build/site.fsx) to its rules, without a browser and without a network:

    dotnet fsi build/check-site.fsx

* every link and picture within the site leads to a file that is there, and every anchor to one of its page;
* a page loads nothing from elsewhere: links to other places are for readers, and only counted;
* no page names a folder of the machine that built it, and nothing is left of what fsdocs should have filled in;
* every notebook has its page, in every list of pages, with its code and the formulas of its texts letter by letter and all its outputs;
* the reference has the types and the shapes that the doc comments give.
*)
open System
open System.IO
open System.Net
open System.Text.Json.Nodes
open System.Text.RegularExpressions

let root = Path.Combine(__SOURCE_DIRECTORY__, "..") |> Path.GetFullPath
let site = Path.Combine(root, "artifacts", "site")

if not (File.Exists(Path.Combine(site, "index.html"))) then
    eprintfn "artifacts/site/index.html is not there; run dotnet fsi build/site.fsx first."
    exit 1

/// Paths within the site of the files with an extension.
let files (extension: string) =
    Directory.GetFiles(site, "*" + extension, SearchOption.AllDirectories)
    |> Array.map (fun path -> Path.GetRelativePath(site, path).Replace('\\', '/'))
    |> Array.sort

let read (path: string) =
    File.ReadAllText(Path.Combine(site, path))

let pages = [ for path in files ".html" -> path, read path ]
let texts = dict pages

/// Code and texts in a page are escaped, so that what looks like a tag is one.
let tags =
    Regex("<(?<tag>[a-zA-Z][\\w-]*)(?<attributes>(\\s+[^\\s=>/]+(\\s*=\\s*(\"[^\"]*\"|'[^']*'|[^\\s>]+))?)*)\\s*/?>")

let attribute (name: string) (tag: Match) =
    let found =
        Regex.Match(
            tag.Groups["attributes"].Value,
            $"""\s{name}\s*=\s*("(?<v>[^"]*)"|'(?<v>[^']*)'|(?<v>[^\s"'>]+))""",
            RegexOptions.IgnoreCase
        )

    if found.Success then
        Some(WebUtility.HtmlDecode found.Groups["v"].Value)
    else
        None

let tagsOf =
    dict [ for path, text in pages -> path, tags.Matches text |> Array.ofSeq ]

let namesOf =
    dict
        [
            for path, _ in pages ->
                path,
                set
                    [
                        for tag in tagsOf[path] do
                            yield! List.choose (fun name -> attribute name tag) [ "id"; "name" ]
                    ]
        ]

let isElsewhere (address: string) =
    Regex.IsMatch(address, "^(https?:)?//", RegexOptions.IgnoreCase)

let isInline (address: string) =
    address.StartsWith("data:", StringComparison.Ordinal)

/// What is wrong with an address that a page gives, if anything.
let broken (page: string) (address: string) =
    let path, fragment =
        match address.IndexOf '#' with
        | -1 -> address, ""
        | start -> address.Substring(0, start), address.Substring(start + 1)

    let target =
        if path = "" then
            page
        else
            let folder = Path.GetDirectoryName("/" + page) |> nonNull
            Path.GetRelativePath("/", Path.GetFullPath(Path.Combine(folder, Uri.UnescapeDataString path))).Replace('\\', '/')

    if path.StartsWith '/' then
        Some $"{address} starts at the root of a server"
    elif not (File.Exists(Path.Combine(site, target))) then
        Some $"{address} leads to {target}, which is not there"
    elif
        fragment <> ""
        && texts.ContainsKey target
        && not (namesOf[target].Contains(Uri.UnescapeDataString fragment))
    then
        Some $"{address}: {target} has no anchor of that name"
    else
        None

/// Tags that load what they name, with the attribute that names it; a link of a page is one only where it is followed by the reader.
let loads =
    [
        "script", "src"
        "img", "src"
        "link", "href"
        "iframe", "src"
        "source", "src"
        "video", "src"
        "audio", "src"
        "object", "data"
        "embed", "src"
        "image", "href"
        "use", "href"
    ]

let elsewhere = Collections.Generic.SortedSet<string>()

let problemsOf (page: string) =
    [
        for tag in tagsOf[page] do
            let name = tag.Groups["tag"].Value.ToLowerInvariant()

            for loaded, by in loads do
                if loaded = name then
                    match attribute by tag with
                    | Some address when isElsewhere address -> $"<{name}> loads {address}"
                    | Some address when not (isInline address) -> yield! broken page address |> Option.toList
                    | _ -> ()

            if name = "a" then
                match attribute "href" tag with
                | Some address when isElsewhere address -> elsewhere.Add address |> ignore
                | Some address when address.StartsWith("mailto:", StringComparison.Ordinal) -> ()
                | Some address -> yield! broken page address |> Option.toList
                | None -> ()

            if attribute "srcset" tag |> Option.isSome then
                "a srcset, which nothing here checks"
    ]

/// What style sheets, scripts and pictures load.
let loadedBy (path: string) (text: string) =
    [
        for found in Regex.Matches(text, @"(url\(\s*|@import\s*|[""'])[""']?(?<address>(https?:)?//[^\s""')]+)") do
            let address = found.Groups["address"].Value

            if not (address.StartsWith("http://www.w3.org/", StringComparison.Ordinal)) then
                $"{path}: loads {address}"
    ]

/// Folders of this machine, and marks that should have been replaced.
let places =
    [
        root
        Environment.GetFolderPath Environment.SpecialFolder.UserProfile
        Path.GetTempPath()
    ]
    |> List.map (fun place -> place.TrimEnd('/', '\\'))
    |> List.filter (fun place -> place.Length > 1)

let strange (path: string) (text: string) =
    [
        for place in places do
            if Regex.IsMatch(text, @"(?<![\w.-])" + Regex.Escape place + @"(?![\w-])") then
                $"{path}: names the folder {place}"

        for mark in
            [
                @"\{\{[\w-]+\}\}"
                "SITE-ROOT/"
                @"\bOUTPUT-[\w-]+-\d+\."
                "class=\"math\""
                "Clipboard_CopyTo"
            ] do
            let found = Regex.Match(text, mark)

            if found.Success then
                $"{path}: \"{found.Value}\" is left in it"
    ]

let notebooks =
    Directory.GetFiles(Path.Combine(root, "notebooks"), "*.ipynb")
    |> Array.map (fun path -> Path.GetFileNameWithoutExtension path, JsonNode.Parse(File.ReadAllText path) |> nonNull)
    |> Array.sortBy fst

/// Outputs of a notebook's cells.
let outputsOf (notebook: JsonNode) =
    [
        for cell in (notebook["cells"] |> nonNull).AsArray() do
            match (nonNull cell)["outputs"] with
            | null -> ()
            | outputs -> for output in outputs.AsArray() -> nonNull output
    ]

let isPicture (output: JsonNode) =
    match output["data"] with
    | null -> false
    | data -> data.AsObject() |> Seq.exists (fun kind -> kind.Key.StartsWith("image/", StringComparison.Ordinal))

let problemsOfNotebook (name: string, notebook: JsonNode) =
    let path = $"notebooks/{name}.html"

    if not (texts.ContainsKey path) then
        [ $"{path} is not there" ]
    else
        let outputs = outputsOf notebook
        let pictures = outputs |> List.filter isPicture |> List.length

        let drawn =
            Regex.Matches(texts[path], "<div class=\"figure\" id=\"output-\\d+\"><img ").Count

        let other =
            Regex.Matches(texts[path], "<div class=\"figure\">|<table class=\"pre output\">").Count

        [
            if drawn <> pictures then
                $"{path}: {drawn} of {pictures} figures are drawn"

            if other <> outputs.Length - pictures then
                $"{path}: {other} of {outputs.Length - pictures} outputs are shown"

            for page, text in pages do
                if not (text.Contains $"notebooks/{name}.html\"" || text.Contains $"\"{name}.html\"") then
                    $"{page}: its list of pages has no {path}"
        ]

/// Lines set apart in a text: formulas and commands, indented by four blanks behind an empty line.
let setApart (text: string) =
    [
        for block in Regex.Matches(text.ReplaceLineEndings "\n", @"(?<=\A|\n\n)([ ]{4}[^\n]*(\n|\z))+") do
            for line in block.Value.Split('\n', StringSplitOptions.RemoveEmptyEntries) -> line.Trim()
    ]

/// The code cells of a notebook, and the lines set apart in its texts, that its page does not show letter by letter.
let changed (name: string, notebook: JsonNode) =
    match texts.TryGetValue $"notebooks/{name}.html" with
    | false, _ -> []
    | true, page ->
        let codes (pattern: string) =
            [
                for code in Regex.Matches(page, pattern + "<code[^>]*>(.*?)</code></pre>", RegexOptions.Singleline) ->
                    (Regex.Replace(code.Groups[1].Value, "<[^>]+>", "") |> WebUtility.HtmlDecode).Trim()
            ]

        let shown = set (codes "<pre class=\"fssnip[^\"]*\">")

        let lines =
            codes "<pre[^>]*>" |> Seq.collect _.Split('\n') |> Seq.map _.Trim() |> set

        [
            for cell in (notebook["cells"] |> nonNull).AsArray() do
                let cell = nonNull cell

                if string cell["cell_type"] = "code" then
                    let code = String.Concat((cell["source"] |> nonNull).AsArray() |> Seq.map string)

                    if not (shown.Contains(code.Trim())) then
                        let line = code.Trim().Split('\n')[0]
                        $"notebooks/{name}.html: the cell that starts with \"{line}\" is not there as it is"
                else
                    let source = String.Concat((cell["source"] |> nonNull).AsArray() |> Seq.map string)

                    for line in setApart source do
                        if not (lines.Contains line) then
                            $"notebooks/{name}.html: the line \"{line}\" is not there as it is"
        ]

/// What a reader of the reference must find: a C# type, an iterator, a delegate, an F# module, shapes.
let reference =
    [
        "reference/lookaheadkv-lookahead-lookaheadscore.html", "Predicted importance [B,H,N] (float32)"
        "reference/lookaheadkv-lookahead-lookaheadscore.html", "Scores [B,H,N] or [B,G,N], float32, higher = keep." // inherited
        "reference/lookaheadkv-attention-attentionrows.html", "[B,H,R,N]"
        "reference/lookaheadkv-generation-session.html", "id=\"Generate\""
        "reference/lookaheadkv-training-examplesource.html", "Gives the examples of a step"
        "reference/lookaheadkv-fsharp-policy.html", "id=\"lookahead\""
    ]

let problems =
    [
        for page, text in pages do
            for problem in problemsOf page do
                $"{page}: {problem}"

            yield! strange page text

        for extension in [ ".css"; ".js"; ".svg" ] do
            for path in files extension do
                yield! loadedBy path (read path)
                yield! strange path (read path)

        for page, text in pages do
            for part in Regex.Matches(text, "<(style|script)[^>]*>(.*?)</\\1>", RegexOptions.Singleline) do
                yield! loadedBy page part.Groups[2].Value

            for tag in tagsOf[page] do
                yield! attribute "style" tag |> Option.map (fun style -> loadedBy page style) |> Option.defaultValue []

        yield! notebooks |> Seq.collect problemsOfNotebook
        yield! notebooks |> Seq.collect changed

        for page, expected in reference do
            if not (texts.ContainsKey page) then
                $"{page} is not there"
            elif not (texts[page].Contains expected) then
                $"{page} does not say \"{expected}\""
    ]
    |> List.distinct

for problem in problems do
    eprintfn $"{problem}"

if problems <> [] then
    eprintfn $"{problems.Length} problems in artifacts/site"
    exit 1

for address in elsewhere do
    if not (address.StartsWith("https://learn.microsoft.com/dotnet/api/", StringComparison.Ordinal)) then
        printfn $"links to {address}"

printfn $"{pages.Length} pages hold; {notebooks.Length} notebooks, {elsewhere.Count} addresses elsewhere (not fetched)"
