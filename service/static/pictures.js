// Pictures that the user dropped or chose: compared like texts, by a model that reads images.

const held = [];

export const pictures = () => [...held];
export const nameOf = (item) => (typeof item === "string" ? item : item.name);
// What a request has in the place of a text.
export const valueOf = (item) => (typeof item === "string" ? item : { image: item.image });
export const isPicture = (file) => file.type.startsWith("image/");

export function thumbnail({ name, image }) {
  const element = document.createElement("img");
  element.src = image;
  element.alt = name;
  element.title = name;
  element.className = "thumbnail";
  return element;
}

// Puts an item into an element: a text as it is, a picture with its name.
export function put(element, item) {
  if (typeof item === "string") element.textContent = item;
  else element.replaceChildren(thumbnail(item), ` ${item.name}`);
}

function urlOf(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
}

function show(list) {
  list.hidden = held.length === 0;
  list.replaceChildren(...held.map((picture, at) => {
    const item = document.createElement("li");
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "Remove";
    remove.setAttribute("aria-label", `Remove ${picture.name}`);
    remove.addEventListener("click", () => {
      held.splice(at, 1);
      show(list);
    });
    const name = document.createElement("span");
    put(name, picture);
    item.append(name, remove);
    return item;
  }));
}

export async function takePictures(files, list) {
  const found = await Promise.all(files.map(async (file) => ({
    name: file.name,
    image: await urlOf(file),
  })));
  held.push(...found);
  show(list);
}
