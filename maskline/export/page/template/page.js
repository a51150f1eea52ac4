// What one sees and does: the list of images, the layers, the table of areas, and the saved files.
(() => {
  const element = (id) => document.getElementById(id);
  const info = JSON.parse(element("info").textContent);
  const { classes, preprocessing } = info.model;
  const colors = classes.map(({ color }) => [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16)));
  const rows = [...element("areas").tBodies[0].rows];
  const boxes = rows.map((row) => row.querySelector("input"));
  const form = element("view");
  const items = new Map(); // by id: {id, file, address, entry, state, map}
  let network = "loading"; // then "ready" or "failed"
  let count = 0; // of all images so far
  let shown; // the item whose image is shown
  let mapAddress;

  const worker = startWorker();

  function startWorker() {
    const started = new Worker(URL.createObjectURL(new Blob([element("worker").textContent], { type: "text/javascript" })));
    const packed = {};
    for (const name of ["module", "wasm", "model"]) {
      packed[name] = element(`packed-${name}`).textContent;
      element(`packed-${name}`).remove(); // the page needs the memory
    }
    started.onmessage = ({ data }) => receive(data);
    started.onerror = (event) => stop(event.message);
    started.postMessage({ packed, classes: classes.length, made: preprocessing });
    return started;
  }

  function receive(data) {
    if ("ready" in data) return data.ready ? begin() : stop(data.reason);
    const item = items.get(data.id);
    if (data.began) setState(item, "labeling");
    else if (data.refused) refuse(item, data.refused);
    else finish(item, data.map);
  }

  function begin() {
    network = "ready";
    say();
  }

  function stop(reason) {
    network = "failed";
    complain(`The network could not be started (${reason}). Open this file in a current Chrome, Edge, Firefox or Safari.`);
    say();
  }

  // Images come in

  function add(files) {
    if (network === "failed") return;
    element("problems").replaceChildren();
    element("problems").hidden = true;
    if (!files.length) return complain("That holds no image file. Choose, drop or paste a PNG or JPEG file.");
    const [first] = [...files].map(enlist);
    show(first);
  }

  function enlist(file) {
    const id = count++;
    const item = { id, file, address: URL.createObjectURL(file), state: "waiting" };
    item.entry = entryOf(item);
    items.set(id, item);
    element("images").append(item.entry);
    worker.postMessage({ id, file });
    return item;
  }

  function entryOf({ id, file, address }) {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "image", value: id, className: "unseen" });
    const thumbnail = Object.assign(document.createElement("img"), { src: address, alt: "", decoding: "async" });
    const name = Object.assign(document.createElement("span"), { className: "file", textContent: file.name, title: file.name });
    const state = Object.assign(document.createElement("span"), { className: "state", textContent: "waiting" });
    label.append(radio, thumbnail, name, state);
    return label;
  }

  function setState(item, state) {
    item.state = state;
    item.entry.querySelector(".state").textContent = state === "done" ? "" : state;
    say();
  }

  function refuse(item, sentence) {
    complain(sentence);
    items.delete(item.id);
    item.entry.remove();
    URL.revokeObjectURL(item.address);
    const left = [...items.values()];
    show(shown === item ? (left.find(({ id }) => id > item.id) ?? left.at(-1)) : shown);
  }

  function finish(item, map) {
    item.map = map;
    setState(item, "done");
    if (shown === item) show(item);
  }

  function complain(sentence) {
    element("problems").append(Object.assign(document.createElement("p"), { textContent: sentence }));
    element("problems").hidden = false;
  }

  // One image is shown

  function show(item) {
    shown = item;
    element("result").hidden = !item;
    element("images").hidden = items.size < 2;
    say();
    if (!item) return;
    item.entry.querySelector("input").checked = true;
    element("result-title").textContent = item.file.name;
    element("picture").alt = `The image ${item.file.name}`;
    element("picture").src = item.address;
    element("save-map").disabled = element("save-overlay").disabled = !item.map;
    showAreas(item.map);
    showMap();
  }

  function showAreas(map) {
    const total = map ? map.width * map.height : 0;
    rows.forEach((row, label) => {
      const pixels = map?.pixels[label];
      row.cells[1].textContent = map ? percent(pixels / total) : "–";
      row.cells[2].textContent = map ? pixels.toLocaleString("en") : "–";
      row.classList.toggle("absent", pixels === 0);
    });
  }

  function percent(share) {
    return share > 0 && share < 0.0005 ? "<\u202f0.1\u202f%" : `${(100 * share).toFixed(1)}\u202f%`;
  }

  function hiddenLabels() {
    return new Set(boxes.flatMap((box, label) => (box.checked ? [] : [label])));
  }

  function showMap() {
    URL.revokeObjectURL(mapAddress);
    const map = shown?.map;
    element("map").hidden = !map;
    if (!map) return;
    mapAddress = URL.createObjectURL(indexedPng(map, colors, hiddenLabels()));
    element("map").src = mapAddress;
    element("map").alt = `Labels: ${areasText(map)}`;
  }

  function areasText({ width, height, pixels }) {
    const present = pixels.map((size, label) => [size, label]).filter(([size]) => size);
    present.sort((a, b) => b[0] - a[0]);
    const parts = present.map(([size, label]) => `${classes[label].name} ${percent(size / (width * height))}`);
    return parts.length > 4 ? `${parts.slice(0, 3).join(", ")} and ${parts.length - 3} more classes` : parts.join(", ");
  }

  function say() {
    const status = statusText();
    if (element("status").textContent !== status) element("status").textContent = status;
  }

  function statusText() {
    const list = [...items.values()];
    const done = list.filter(({ state }) => state === "done").length;
    if (network === "failed") return "The network is not running.";
    if (network === "loading") return list.length ? "Loading the network; then the images are labeled." : "Loading the network.";
    if (!list.length) return "The network is ready.";
    if (done < list.length) return `Labeling ${list.length > 1 ? `image ${done + 1} of ${list.length}` : list[0].file.name}.`;
    const { file, map } = shown;
    return `${file.name}: ${areasText(map)}. Labeled in ${map.seconds.toFixed(2)}\u202fs.`;
  }

  function look() {
    const { view, opacity, percent: output } = form.elements;
    element("stage").dataset.view = view.value;
    element("stage").style.setProperty("--opacity", opacity.value / 100);
    output.value = `${opacity.value}\u202f%`;
    opacity.setAttribute("aria-valuetext", `${opacity.value} %`);
    opacity.disabled = view.value !== "both";
  }

  function hideOrShow() {
    const every = boxes.every((box) => box.checked);
    element("all").textContent = every ? "Hide all classes" : "Show all classes";
    showMap();
  }

  // Files go out

  function save({ file }, blob, ending) {
    const name = `${file.name.replace(/\.[^.]*$/, "")}_${ending}.png`;
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    element("status").textContent = `${name} is saved to your downloads.`;
  }

  async function overlay({ file, map }) {
    const { width, height } = map;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(await createImageBitmap(file), 0, 0);
    context.globalAlpha = form.elements.opacity.value / 100;
    context.drawImage(await createImageBitmap(indexedPng(map, colors, hiddenLabels())), 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve));
  }

  async function saveOverlay(item) {
    const blob = await overlay(item);
    if (blob) save(item, blob, "overlay");
    else element("status").textContent = "The overlay is too large for this browser; save the labels instead.";
  }

  // What the user does

  element("files").addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => add(event.clipboardData.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    add(event.dataTransfer.files);
  });
  element("picture").addEventListener("load", ({ target }) => {
    element("stage").style.setProperty("--ratio", target.naturalWidth / target.naturalHeight);
    element("stage").classList.toggle("small-image", target.naturalWidth <= 256);
  });
  element("images").addEventListener("change", (event) => show(items.get(Number(event.target.value))));
  form.addEventListener("input", look);
  form.addEventListener("submit", (event) => event.preventDefault());
  element("areas").addEventListener("change", hideOrShow);
  element("all").addEventListener("click", () => {
    const every = boxes.every((box) => box.checked);
    boxes.forEach((box) => (box.checked = !every));
    hideOrShow();
  });
  element("save-map").addEventListener("click", () => save(shown, indexedPng(shown.map, colors), "labels"));
  element("save-overlay").addEventListener("click", () => saveOverlay(shown));
  look();
})();
