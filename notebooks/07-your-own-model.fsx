(**
# Your own model: from a folder to trained modules

The shipped model is for learning. This notebook takes the way that a model of your own takes: a Hugging Face folder is checked and loaded, policies run on it, lookahead modules
are trained on prompts of your own, saved, loaded again, and used.

You will

* write a small folder in the layout of Qwen3 with random weights, and see what is read from it,
* break it in six ways and read what you are told,
* run policies on token ids and on text, and check what holds for *any* weights,
* train modules from a file of prompts, measure them on prompts that were held out, save and reload them bit by bit,
* get the list of what to change for a published checkpoint.

Random weights say nothing about quality: here is only shown what fits what, and that it runs. It takes about half a minute on two CPU cores and uses a GPU where there is one. Before the first run, in the
repository's root: `dotnet build LookaheadKV.sln -c Release`.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"

open System
open System.IO
open LookaheadKV
open LookaheadKV.Checkpoints
open LookaheadKV.Models
open LookaheadKV.Evaluation
open LookaheadKV.FSharp
open LookaheadKV.Generation
open LookaheadKV.Lookahead
open LookaheadKV.Training
open LookaheadKV.Text

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

(**
## A folder

`config.json`, `*.safetensors` (one file, or shards with their index) and `tokenizer.json`: that is a model. `RandomFolder` writes the first two for any shape; the
command `lookahead random --shape llama-3.1-8b` does it for the shapes of published models.
*)
let work = Directory.CreateTempSubdirectory("lookaheadkv-own").FullName
let inWork (name: string) = Path.Combine(work, name)
let folder = inWork "own-model"

let borrowed = ModelFolders.Resolve "nano" // its tokenizer, later

let shape =
    DecoderConfig(
        VocabularySize = (Tokenizer.Load borrowed).VocabularySize,
        Width = 64,
        Layers = 3,
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadSize = 16,
        IntermediateSize = 160,
        MaxPositions = 1024,
        RopeTheta = 1e6,
        QueryKeyNorm = QueryKeyNorm.Heads, // Qwen3's own: each head of queries and keys is normalised
        EndTokens = [| 1 |]
    )

let parameters = RandomFolder.Write(folder, shape, seed = 7L)

printfn $"{parameters} parameters"

for file in Directory.GetFiles folder |> Array.sort do
    printfn $"  {Path.GetFileName file}, {FileInfo(file).Length} bytes"

(**
## What is read

`config.json` says which family it is, and with it what is added, normalised and rotated. Sizes are not guessed: every tensor that the configuration promises must be there in its shape, and none
that it does not know.
*)
let config = DecoderConfig.Load(Path.Combine(folder, "config.json"))

printfn $"{config.Layers} layers of width {config.Width}"
printfn $"{config.QueryHeads} query heads on {config.KeyValueHeads} key/value heads of size {config.HeadSize}"
printfn $"rotary base {config.RopeTheta}, context {config.MaxPositions}"
printfn $"queries and keys normalised: {config.QueryKeyNorm <> QueryKeyNorm.None}; output head is the embedding: {config.TiedEmbeddings}"
printfn $"cache of a token: {config.CacheBytesPerToken 4} bytes in float32, {config.CacheBytesPerToken 2} in bfloat16"

let stored = SafetensorsFolder.Open folder

for name in
    stored.Names
    |> Seq.filter (fun name -> not (name.Contains "layers.") || name.Contains "layers.0.self_attn")
    |> Seq.sort do
    let info = stored.Info name
    let sizes = info.Shape |> Seq.map string |> String.concat ", "
    printfn $"  %-40s{name} {info.DType} [{sizes}]"

let decoder = Decoder.Load folder
printfn $"loaded as {decoder.DType}"

(**
The file's numbers are bfloat16 and were loaded as float32, the default; `Decoder.Load(folder, device, ScalarType.BFloat16)`, or `--dtype bfloat16` on the command line, keeps
them as they are and halves cache and weights. Scores are float32 either way.

## What is refused

A model that is read wrongly answers all the same, only worse; nothing hurts a comparison more. So what is not implemented, not there or not whole is refused, in one line that says
what to do. Six copies, each broken in its own way:
*)
/// A message without the folders of this machine.
let plain (message: string) =
    [ work; Path.GetDirectoryName borrowed |> nonNull ]
    |> List.fold (fun (text: string) place -> text.Replace(place + string Path.DirectorySeparatorChar, "")) message

let refused (attempt: unit -> unit) =
    let message =
        try
            attempt ()
            None
        with :? InputException as refusal ->
            Some refusal.Message

    match message with
    | Some message -> printfn $"{plain message}\n"
    | None -> failwith "nothing was refused"

/// A copy of the folder, changed.
let copy name (change: string -> unit) =
    let target = inWork name
    Directory.CreateDirectory target |> ignore

    for file in Directory.GetFiles folder do
        File.Copy(file, Path.Combine(target, Path.GetFileName file))

    change target
    target

let edited (from: string) (into: string) (target: string) =
    let path = Path.Combine(target, "config.json")
    let text = File.ReadAllText path

    if not (text.Contains from) then
        failwith $"config.json has no {from}"

    File.WriteAllText(path, text.Replace(from, into))

let loads name change =
    refused (fun () -> Decoder.Load(copy name change).Dispose())

loads "other-family" (edited "Qwen3ForCausalLM" "GemmaForCausalLM")

loads "quantized" (edited "\"hidden_act\"" "\"quantization_config\": {}, \"hidden_act\"")

loads "odd-heads" (edited "\"num_key_value_heads\": 2" "\"num_key_value_heads\": 3")

loads "four-layers" (edited "\"num_hidden_layers\": 3" "\"num_hidden_layers\": 4")

loads "cut-off" (fun target ->
    use file = File.OpenWrite(Path.Combine(target, "model.safetensors"))
    file.SetLength(file.Length / 2L))

loads "no-config" (fun target -> File.Delete(Path.Combine(target, "config.json")))

(**
## Policies on token ids

A session needs no text. Ids go in, and every policy that reads the prompt alone works on any model at once.
*)
let random = Random 3

let ids = Array.init 600 (fun _ -> random.Next config.VocabularySize)

let budget = Tokens 48

let policies =
    [
        Policy.from "streaming"
        Policy.from "keydiff"
        Policy.from "snapkv"
        Policy.from "adakv"
        Policy.from "expected"
        Policy.from "kvzip"
        Policy.from "laq"
        Policy.from "oracle"
    ]

let run (policy: Eviction.EvictionPolicy) =
    use session = Session.Start(decoder, ids, policy, 16)
    let answer = session.Generate 8 |> Seq.toArray
    session.Report, answer

let fullReport, fullAnswer = run Policy.full

printfn
    $"""{Show.table
             [ "policy"; "kept"; "bytes"; "first ids" ]
             [
                 for policy in Policy.full :: (policies |> List.map (Policy.budget budget)) ->
                     let report, answer = run policy
                     let first = answer |> Array.truncate 4 |> Array.map string |> String.concat " "
                     [ policy.Name; $"{report.KeptTokens}"; $"{report.CacheBytes}"; first ]
             ]}"""

(**
Which of the answers is the better one? The question has no meaning here: no weights, no knowledge. What *can* be asked of random weights is what must hold for all weights, and a new model is the place to
ask it. Keeping everything changes no bit; bytes are what the budget says, to the byte; the same call twice gives the same.
*)
let logits policy =
    use session = Session.Start(decoder, ids, policy, 16)
    session.Append [| 5; 6; 7 |]

for policy in policies do
    let all = logits (policy |> Policy.budget (Tokens ids.Length))
    let report, once = run (policy |> Policy.budget budget)
    let _, again = run (policy |> Policy.budget budget)

    if not (all.equal(logits Policy.full).all().item<bool>()) then
        failwith $"{policy.Name}: keeping everything changed a bit"

    if report.CacheBytes <> 48L * config.CacheBytesPerToken 4 then
        failwith $"{policy.Name}: {report.CacheBytes} bytes are kept"

    if once <> again then
        failwith $"{policy.Name}: two runs differ"

printfn $"{policies.Length} policies hold"

refused (fun () -> Session.Start(decoder, [| 5; config.VocabularySize |], Policy.full).Dispose())

(**
## Text

The random folder has no tokenizer, and a model that is to be asked in words is refused without one. A published checkpoint brings its `tokenizer.json` (or `tokenizer.model`); here the shipped
model's is borrowed, which has as many entries as our shape has embeddings.
*)
refused (fun () -> (Model.load folder :> IDisposable).Dispose())

for file in [ "tokenizer.json"; "tokenizer_config.json" ] do
    File.Copy(Path.Combine(borrowed, file), Path.Combine(folder, file))

let model = Model.load folder

let text =
    "The code of the red door is 4821. The code of the blue door is 7730. What is the code of the red door?"

// SnapKV protects the last 32 tokens; half of this prompt is fewer.
refused (fun () -> model |> Model.ask (Policy.from "snapkv" |> Policy.budget (Share 0.5)) text |> ignore)

let asked =
    model |> Model.ask (Policy.from "keydiff" |> Policy.budget (Share 0.5)) text

printfn $"{asked.Report.PromptTokens} tokens, %.1f{asked.Report.KeptTokens} kept"
printfn $"{asked.Text.Substring(0, min 60 asked.Text.Length)} …"

(**
## Prompts of your own

LookaheadKV needs modules that were trained *for this model*: on where its own answers look. A file of prompts is all that takes, one JSON object a line, as text, as token ids, or as `messages` for the
folder's chat template. Here are 40 lists of doors and codes; every eighth is given as ids.
*)
let colours = [| "red"; "blue"; "green"; "white"; "black"; "yellow" |]

let prompt (random: Random) =
    let line _ =
        $"The code of the {colours[random.Next colours.Length]} door {random.Next 100} is {random.Next(1000, 9999)}."

    $"""{Seq.init 6 line |> String.concat " "} What is the code of the {colours[random.Next colours.Length]} door?"""

let line i =
    let text = prompt (Random(100 + i))

    if i % 8 = 0 then
        Text.Json.JsonSerializer.Serialize
            {|
                prompt_ids = model.Tokenizer.Encode text
            |}
    else
        Text.Json.JsonSerializer.Serialize {| prompt = text |}

let data = inWork "prompts.jsonl"
File.WriteAllLines(data, Seq.init 40 line)

for text in File.ReadLines data |> Seq.truncate 2 do
    printfn $"{text.Substring(0, 90)} …"

(**
A bad line is named before anything is trained. Prompts that are longer than the limit lose their middle; how many did is told.
*)
let reader =
    TrainingFile(config, (fun () -> model.Tokenizer), (fun () -> ChatTemplate.Of folder))

let bad = inWork "bad.jsonl"
File.WriteAllLines(bad, [ line 1; """{"prompt_ids": [5, 9999]}""" ])
refused (fun () -> reader.Read(bad, 512) |> ignore)

let examples = reader.Read(data, 512)
let struct (training, heldOut) = TrainingFile.HoldOut(examples, 8, 0L)

printfn $"{training.Count} prompts to train on, {heldOut.Count} held out, {reader.Cut} cut"

(**
## Training

The paper's modules are 32 tokens and LoRA of rank 8 on all linear maps. For so small a model we take 8 tokens and rank 4. The model answers each prompt itself, greedily, and is
then asked where its answer looked; the base model's weights never change. Answers are remembered in a file, so that each is made once.
*)
let own =
    LookaheadModule.Create(config, LookaheadSettings(Tokens = 8, Rank = 4), 0L, model.Decoder.Device)

let answers =
    OwnResponses(model.Decoder, SamplingOptions.Greedy, 32, ResponseCache.Open(inWork "responses.jsonl", "own-model, greedy, 32"))

let quality () =
    PredictionQuality.Measure(model.Decoder, [| own |], heldOut, answers, [| 32 |]) |> Seq.head

let before = quality ()

let options =
    LookaheadTrainerOptions(Steps = 60, LearningRate = 5e-3, WarmUpSteps = 5, PassSize = 8, MaxResponse = 32, Responses = answers)

let curve = Collections.Generic.List<struct (int64 * float)>()

let progress =
    { new IProgress<LookaheadTrainingPoint> with
        member _.Report point =
            curve.Add(struct (point.Step, point.Loss))
            Training.everySteps 10L point
    }

let finished =
    LookaheadTrainer.Run(model.Decoder, own, TrainingFile.Shuffled(training, 8, 0L), options, progress)

printfn $"{own.Settings.ParameterCount config} parameters, all steps done: {finished}; {answers.Generated} answers generated"

Notebook.figure "loss" (Figures.loss curve)

(**
On the prompts that were held out:
*)
let after = quality ()

let recall (quality: PredictionQuality) =
    quality.Recall[32] |> Option.ofNullable |> Option.get

printfn
    $"""{Show.table
             [ $"{heldOut.Count} held out"; "KL"; "Spearman"; "recall@32" ]
             [
                 for name, quality in [ "untrained", before; "trained", after ] ->
                     [
                         name
                         $"%.3f{quality.Divergence}"
                         $"%.3f{quality.Spearman}"
                         $"%.3f{recall quality}"
                     ]
             ]}"""

if after.Divergence >= before.Divergence then
    failwith "the training should bring the prediction nearer to the true importance; it did not."

(**
## Saved, loaded, used

Modules are a folder of three files. In `lookahead` within the model's folder they are found by name; peft reads them too. What is loaded must be what was saved, bit by bit, and it must score alike.
*)
let home = ModelFolders.Lookahead(folder)
LookaheadFiles.Save(own, home, dict [ "steps", box options.Steps ] |> Collections.Generic.Dictionary)

for file in Directory.GetFiles home |> Array.sort do
    printfn $"  {Path.GetFileName file}, {FileInfo(file).Length} bytes"

let whole = Model.load folder // with its modules now
let loaded = Model.modules whole

let same =
    Seq.forall2
        (fun (a: TorchSharp.torch.Tensor) (b: TorchSharp.torch.Tensor) -> a.equal(b).all().item<bool>())
        own.Parameters
        loaded.Parameters

if not same then
    failwith "the modules that were loaded are not those that were saved"

let last = heldOut[0].Prompt

let keptBy (modules: LookaheadModule) =
    let policy = Policy.lookahead modules |> Policy.budget (Tokens 32)
    use session = Session.Start(whole.Decoder, last, policy, 32)
    session.Report, (session.KeptPositions policy).Layers |> Seq.collect (Seq.map Seq.toList) |> Seq.toList

let report, kept = keptBy loaded

if kept <> snd (keptBy own) then
    failwith "loaded modules keep other entries"

printfn $"{report.KeptTokens} of {report.PromptTokens} tokens kept, {report.CacheBytes} bytes; the same by the modules that were saved"

(**
Modules belong to their model. Those of another one are refused by shape, before they could score nonsense:
*)
refused (fun () -> LookaheadFiles.Load(ModelFolders.Lookahead(borrowed), config).Dispose())

(**
## A published checkpoint

All of the above is the same for eight billion parameters, and is a few commands. What to change:

* **The folder**: download it, whole: `config.json`, all shards with `model.safetensors.index.json`, `tokenizer.json`, `tokenizer_config.json`. Llama, Qwen2, Qwen3 and Mistral are read. Ask it something
  with its full cache before you evict anything: `lookahead generate` should answer as the model does elsewhere.
* **Device and type**: `--dtype bfloat16`, on a GPU; an 8B model is 15 GiB of weights, and training at 16,384 tokens takes about 27 GiB ([training](../docs/training.md)).
* **Prompts**: many, of the kind that you will ask and as long (the paper took 86,000); `messages` if the model talks. A module knows what it was trained on.
* **Recipe**: 32 tokens, rank 8, and 7,600 steps of 32 prompts are the defaults for files. The run may be killed and called again, and in pieces by `--minutes`.
* **Held out**: `--held-out` prompts are measured when the last step is done. Look at recall, then at answers; a module of low KL that answers nothing is no success.

In this order:

    lookahead generate --model DIR --dtype bfloat16 --prompt "…"
    lookahead bench --model DIR --dtype bfloat16 --lengths 8192,32768 --policies full,snapkv --budgets 1024
    lookahead train --model DIR --data prompts.jsonl --out modules --dtype bfloat16
    lookahead compare --model DIR --modules modules --dtype bfloat16 --tasks ruler --length 8192 --policies snapkv,lookahead,oracle --budgets 128,512 --samples 50

No published checkpoint was at hand when this was written: the four families were checked, number by number, on small random folders that transformers wrote.

Next: [your own scorer](08-your-own-scorer.ipynb), [what it costs](06-what-it-costs.ipynb), [training, looked at](03-train.ipynb).
*)
own.Dispose()
(whole :> IDisposable).Dispose()
(model :> IDisposable).Dispose()
decoder.Dispose()
Directory.Delete(work, true)
