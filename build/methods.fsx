(*
Writes what documents say of methods, from their descriptors: the README's table and docs/methods.md.

    dotnet build src/LookaheadKV.Reports -c Release
    dotnet fsi build/methods.fsx
*)
#I "../artifacts/bin/LookaheadKV.Reports/release"
#r "LookaheadKV.dll"
#r "LookaheadKV.FSharp.dll"
#r "LookaheadKV.Reports.dll"

open System.IO
open LookaheadKV.Reports

let root = Path.Combine(__SOURCE_DIRECTORY__, "..")
let readme = Path.Combine(root, "README.md")
File.WriteAllText(readme, MethodPages.inReadme (File.ReadAllText readme))
File.WriteAllText(Path.Combine(root, "docs", "methods.md"), MethodPages.document ())
printfn "README.md and docs/methods.md say what the catalogue says"
