// The program of a prompt's pass through a Llama layer, for layers.py beside, after a build: dotnet fsi docs/results/speed/layers.fsx > layers.txt
#r "../../../artifacts/bin/LookaheadKV.Cli/release/TorchSharp.dll"
#r "../../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.dll"

open System
open System.Reflection

// What is compiled is no part of the library's face.
let hidden = BindingFlags.Instance ||| BindingFlags.Static ||| BindingFlags.Public ||| BindingFlags.NonPublic
let core = Assembly.Load "LookaheadKV"
let kind name = core.GetType(name, true)
let programs = (kind "LookaheadKV.Passes.PromptScript").GetField("Programs", hidden).GetValue null

let llama =
    Activator.CreateInstance(
        kind "LookaheadKV.Models.LayerForm",
        LookaheadKV.Models.BlockNorms.Before,
        LookaheadKV.Models.QueryKeyNorm.None,
        false
    )

let inPlace = Enum.Parse(kind "LookaheadKV.Models.LayerWriting", "InPlace")

programs.GetType().GetMethod("Source", hidden).Invoke(programs, [| llama; inPlace |])
|> string
|> printfn "%s"
